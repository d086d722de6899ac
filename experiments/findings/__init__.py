"""The original team's findings, as experiments that anyone can re-run on a finished pipeline.

All of them use the same network and budget (`network`), so that a difference comes from the
variable under test. No network is kept and nothing is chosen here. `person` alone uses test photos:
it deals the photos out anew, because that is its question.
"""
