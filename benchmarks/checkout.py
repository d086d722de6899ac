"""A copy of this checkout, for benchmarks that build or change it."""

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def copy_checkout(path: Path) -> Path:
    """Copy all files that git does not ignore to the folder `path`, a git repository then."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if not (ROOT / name).is_file():  # deleted, or the empty name at the end
            continue
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, path / name)
    subprocess.run(["git", "init", "-q"], cwd=path, check=True)  # DVC asks for one
    return path
