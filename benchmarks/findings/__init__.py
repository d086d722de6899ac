"""The original team's findings, as experiments that anyone can re-run on a finished pipeline.

One network and one budget for all of them (`network`), so that what differs is what is asked about.
No network is kept and nothing is chosen here; `test` photos are used by `person` alone, which deals
the photos out anew because that is its question.
"""
