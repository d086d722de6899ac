"""The pipeline: one package a stage, run as `python -m stages.<stage> <task>`."""

import sys
from types import TracebackType


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A traceback, but for Ctrl-C, at whatever moment it comes (imports take a second or two)."""
    if issubclass(kind, KeyboardInterrupt):
        print("\nInterrupted; nothing half-written. `dvc repro` goes on here.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _show
