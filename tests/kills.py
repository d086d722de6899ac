"""Runs an action in forked processes that are killed at one file operation after the other.

Python calls an audit hook before it renames or removes anything; the hook ends the process there,
with SIGKILL. https://docs.python.org/3/library/audit_events.html
"""

import hashlib
import importlib
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from stages.common.files import new_folder

ROOT = Path(__file__).parents[1]
CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir")


def state(path: Path) -> dict[str, str] | None:
    """name -> sha256 of the files in a folder, or of a file; None where there is none."""
    if not path.exists():
        return None
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    return {str(each): hashlib.sha256(each.read_bytes()).hexdigest() for each in files}


def kills(task: str, stage: str, folder: str, most: int = 1000) -> list[str]:
    """Kill a stage that writes data/<folder>/<task> of the working folder, see `main`.

    For each kill, whether the next start finds the "old" or the "new" folder. Raises AssertionError
    if it finds another state or half-written folders.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.kills", task, stage, folder, str(most)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


class Stop(Exception):
    pass


def start_again(path: Path) -> None:
    """What the next stage that writes `path` does first."""
    try:
        with new_folder(path):
            raise Stop
    except Stop:
        pass


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


def main(task: str, stage: str, folder: str, most: int) -> list[str]:
    """In a process of its own, which has not run any network: those do not survive a fork."""
    logging.disable()
    out = Path("data", folder, task)
    action = _action(stage, task, out)
    marker = next(path for path in out.rglob("*") if path.is_file()).with_name("of-the-old-one")
    new = state(out)
    marker.touch()
    old, seen = state(out), []
    for number in killed_everywhere(action, out, most):
        start_again(out)
        found = state(out)
        # A rollback writes the time, so that its new state is not known before.
        assert found == old or str(marker) not in (found or {}), number
        assert found in (old, new) or stage == "rollback", number
        left = [path.name for path in out.parent.iterdir()]
        assert not [name for name in left if name.endswith((".part", ".old"))], left
        seen.append("old" if found == old else "new")
    return seen


def _action(stage: str, task: str, out: Path) -> Callable[[], object]:
    if stage == "rollback":
        from stages.promote.rollback import put_back

        return lambda: put_back(out)
    module = importlib.import_module(f"stages.{stage}.__main__")
    if stage == "promote":  # runs networks; here it writes what it wrote before
        from stages.promote import promote
        from stages.records.promotion import PROMOTION

        whole = Path("whole").absolute()
        shutil.copytree(out, whole)
        module.import_keras = lambda: None
        promote.promote = lambda at, params, part: (
            shutil.copytree(whole, part, dirs_exist_ok=True) and PROMOTION.read(whole)
        )
    return lambda: module.main(task)


if __name__ == "__main__":
    *names, limit = sys.argv[1:]
    print(*main(*names, int(limit)))
