"""Runs an action in forked processes that are killed at one file operation after the other.

Python calls an audit hook before it renames or removes anything; the hook ends the process there,
with SIGKILL. https://docs.python.org/3/library/audit_events.html
"""

import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")


def state(path: Path) -> dict[str, str] | None:
    """name -> sha256 of the files in a folder, or of a file; None where there is none."""
    if not path.exists():
        return None
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    return {str(each): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def killed_everywhere(
    action: Callable[[], object], at: Path, most: int | None = None
) -> Iterator[int]:
    """Yield after each kill; the next one starts from the files in the parent of `at` as now.

    Counted is what changes files from the first rename from or to `at` on. `most`: kills.
    """
    saved = at.parent.with_name(f"{at.parent.name}-saved")
    shutil.copytree(at.parent, saved)
    for number in count() if most is None else range(most):
        shutil.rmtree(at.parent)
        shutil.copytree(saved, at.parent)
        if not _killed(action, at, number):
            break
        yield number
    shutil.rmtree(saved)


def run(action: Callable[[], object]) -> int:
    """`action` in a forked process; its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            action()
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _killed(action: Callable[[], object], at: Path, number: int) -> bool:
    def hooked() -> None:
        seen, begun = 0, False

        def hook(event: str, details: tuple) -> None:
            nonlocal seen, begun
            if event not in CHANGES:
                return
            names = [each for each in details if isinstance(each, str | os.PathLike)]
            begun = begun or (event == "os.rename" and at in map(Path, names))
            if begun:
                if seen == number:
                    os.kill(os.getpid(), signal.SIGKILL)
                seen += 1

        sys.addaudithook(hook)
        action()

    status = run(hooked)
    assert status in (0, -signal.SIGKILL), status
    return status != 0
