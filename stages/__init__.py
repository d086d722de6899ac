"""The pipeline: one package a stage, run as `python -m stages.<stage> <task>`."""
