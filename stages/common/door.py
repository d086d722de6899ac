"""The thin door of every stage: arguments, logging, errors a person can act on."""

import argparse
import errno
import logging
import sys
from collections.abc import Callable

from stages.common.errors import UserError


def door(main: Callable[[str], None]) -> None:
    """Run `main(task)` with the task named on the command line; exit 1 on a `UserError`."""
    parser = argparse.ArgumentParser(prog=main.__module__)
    parser.add_argument("task", help="a task of params.yaml")
    enter(lambda: main(parser.parse_args().task))


def enter(main: Callable[[], None]) -> None:
    """Run `main`, turning what a user can mend into a line instead of a traceback."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    logging.captureWarnings(True)
    try:
        main()
    except UserError as error:
        sys.exit(f"ERROR: {error}")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        sys.exit(f"ERROR: the disk is full ({error}). Free some space, then run `dvc repro` again.")
