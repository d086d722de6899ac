"""The folder of a run that has not finished: what is in it, and whether the next run may go on.

Its file `done` has the run's key in the first line, and below it every block that is completely
written. A block is recorded after its data are handed to the operating system, which keeps them
however the process ends. Only a power cut could lose them; to guard against that, every block would
have to wait for the disk.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import astuple

from stages.augment.transform import Spread
from stages.common.closure import closure
from stages.common.version import version
from stages.records.look import Look
from stages.records.splits import PARTS, Assignment

PACKAGES = ("opencv-python-headless", "numpy")


def key(
    photos: Sequence[Assignment], classes: list[str], copies: int, look: Look, spread: Spread
) -> str:
    """A hash of all that decides the bytes, but for the cut-outs: each block has a hash of its."""
    return version(
        closure("stages.augment.augment"),
        PACKAGES,
        photos=[astuple(photo) for photo in photos],
        classes=classes,
        copies=copies,
        look=vars(look),
        spread=vars(spread),
    )


def begun(folder: Path, key: str) -> dict[str, str]:
    """Name -> digest of every finished block. A folder that another key began is removed."""
    record = folder / "done"
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    if lines[:1] != [key]:
        record.unlink(missing_ok=True)  # first: a folder without it is not trusted
        if folder.exists():
            shutil.rmtree(folder)
    pairs = (line.partition(" ") for line in lines[1:])
    return {name: digest for name, _, digest in pairs} if folder.exists() else {}


def publish(folder: Path, out: Path) -> None:
    """Move the finished parts to their final names, replacing what is there."""
    (folder / "done").unlink()  # no run may go on with a folder that lacks a part
    for part in PARTS:
        shutil.rmtree(out / part, ignore_errors=True)
        os.replace(folder / part, out / part)
    folder.rmdir()
