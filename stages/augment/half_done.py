"""The folder of a run that has not finished: what is in it, and whether it may be gone on with.

`done` in it names the run's key, and below it every block that is wholly written. A block is
recorded after its data are handed to the system, which keeps them however the process ends; only
a power cut could take them back, and waiting for the disk at each block would guard against that.
"""

import hashlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from stages.common import images
from stages.records import shards
from stages.records.params import PARTS, Augment

if TYPE_CHECKING:
    import pandas as pd

CODE = [*Path(__file__).parent.glob("*.py"), Path(images.__file__), Path(shards.__file__)]


def key(splits: "pd.DataFrame", params: Augment, classes: list[str]) -> str:
    """A digest of all that decides the bytes, but for the cut-outs: each block has theirs."""
    photos = splits[["id", "label", "part", "value"]].to_csv(index=False)
    code = [path.read_text(encoding="utf-8") for path in sorted(CODE)]
    everything = (params.model_dump_json(), classes, photos, code, cv2.__version__, np.__version__)
    return hashlib.sha256(repr(everything).encode()).hexdigest()


def begun(folder: Path, key: str) -> dict[str, str]:
    """Name -> digest of every finished block. A folder not begun under `key` is removed."""
    record = folder / "done"
    lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    if lines[:1] != [key]:
        record.unlink(missing_ok=True)  # first: without it, what is left of the rest is not trusted
        if folder.exists():
            shutil.rmtree(folder)
    return dict(line.partition(" ")[::2] for line in lines[1:]) if folder.exists() else {}


def publish(folder: Path, out: Path) -> None:
    """Move the finished parts to their final names, replacing what is there."""
    (folder / "done").unlink()  # a folder that lacks a part must not be gone on with
    for part in PARTS:
        shutil.rmtree(out / part, ignore_errors=True)
        os.replace(folder / part, out / part)
    folder.rmdir()
