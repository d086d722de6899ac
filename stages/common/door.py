"""What every command does first: arguments, logging, and errors that a person can act on.

A command whose stage takes long to import does that inside `main`: Ctrl-C during the imports then
ends as it does at any other moment.
"""

import argparse
import errno
import logging
import os
import shutil
import sys
from collections.abc import Callable
from types import TracebackType

from stages.common.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # EFBIG: `ulimit -f`


def door(main: Callable[[str], None]) -> None:
    """Run `main(task)` with the task named on the command line, as `enter` does."""
    parser = argparse.ArgumentParser(prog=main.__module__)
    parser.add_argument("task", help="a task of params.yaml")
    enter(lambda: main(parser.parse_args().task))


def enter(main: Callable[[], None]) -> None:
    """Run `main`. Ctrl-C and what a user can mend end in a line instead of a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.captureWarnings(True)
    sys.excepthook = _show  # and not `except`: Python then still ends by the signal, as shells want
    try:
        main()
    except UserError as error:
        sys.exit(f"ERROR: {error}")
    except OSError as error:
        if not _full(error):
            raise
        sys.exit(
            f"ERROR: the disk or a limit is full ({str(error)[:300]}). "
            "Free some space or raise the limit, then run `dvc repro` again."
        )


def _full(error: OSError) -> bool:
    """`shutil.copytree` raises an error without a number, made of the texts of others."""
    if isinstance(error, shutil.Error):
        return any(os.strerror(number) in str(error) for number in FULL)
    return error.errno in FULL


def _show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("\nInterrupted; nothing half-written. `dvc repro` goes on here.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)
