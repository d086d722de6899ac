"""Files and folders that appear whole or not at all, and hashes of files."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

log = logging.getLogger(__name__)


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`. If the block succeeds, it is renamed to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`. If the block succeeds, it replaces `path`.

    The old folder is moved aside before the new one takes its place, and deleted after that. Killed
    in between, `path` is missing; the next call puts the old folder back before anything else.
    """
    part = path.with_name(f".{path.name}.part")
    old = path.with_name(f".{path.name}.old")
    _put_back(old, path)
    shutil.rmtree(part, ignore_errors=True)  # left by a killed run
    try:
        part.mkdir(parents=True)  # in here, as Ctrl-C may come right after it
        yield part
        if path.exists():
            os.rename(path, old)
        os.rename(part, path)
    finally:
        _put_back(old, path)
        shutil.rmtree(part, ignore_errors=True)


def _put_back(old: Path, path: Path) -> None:
    """`old`: what a killed or failed swap has left of `path`."""
    if old.exists() and not path.exists():
        os.rename(old, path)
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock of `path`; wait where another process holds it. It ends with the process."""
    import filelock  # here: most stages need none

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(path.with_name(f".{path.name}.lock"))
    try:
        held = lock.acquire(timeout=0)
    except filelock.Timeout:
        log.info("Another process works on %s; waiting until it ends", path)
        held = lock.acquire()
    with held:
        yield


def sha256(path: Path) -> str:
    """Of a file's bytes, 64 hexadecimal digits; takes seconds a gigabyte."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(files: Iterable[Path]) -> str:
    """Of several files, by name and content, in the given order: 64 hexadecimal digits."""
    found = hashlib.sha256()
    for file in files:
        found.update(file.name.encode() + bytes.fromhex(sha256(file)))
    return found.hexdigest()


def digest_folders(*folders: Path) -> str:
    """Of every file in `folders`, as `digest`."""
    return digest(sorted(file for folder in folders for file in folder.iterdir()))
