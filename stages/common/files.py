"""Files and folders that appear whole or not at all, and hashes of files."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


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
    """Yield an empty temporary folder beside `path`. If the block succeeds, it replaces `path`."""
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # left by a killed run
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(path, ignore_errors=True)
        os.replace(part, path)
    finally:
        shutil.rmtree(part, ignore_errors=True)


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
