"""A copy of this checkout, for benchmarks and tests that build or change it."""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILT = re.compile(r"dvc\.lock|reports/(?!findings/)")  # by `dvc repro`, and in git all the same


def copy_checkout(path: Path) -> Path:
    """Copy all files that git does not ignore to the folder `path`, a git repository then.

    Nothing is built in it.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if (ROOT / name).is_file() and not BUILT.match(name):  # no file: deleted
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, path / name)
    # DVC asks for one
    subprocess.run(["git", "init", "-q", "-b", "main"], cwd=path, check=True)
    return path
