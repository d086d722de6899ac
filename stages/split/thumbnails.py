"""Small grey squares of photos: what the search for duplicates compares."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stages.common.closure import closure
from stages.common.images import decode
from stages.common.reuse import reuse_arrays
from stages.common.version import version

SIDE = 64  # pixels
PACKAGES = ("opencv-python-headless", "numpy", "pillow")


def thumbnails(
    files: Sequence[Path], scratch: Path, *, desc: str, workers: int | None = None
) -> np.ndarray:
    """(n, 64, 64) `uint8`: the pictures in grey, squeezed into a square.

    Those that `scratch` has of an earlier run are not read again, see `stages.common.reuse`.
    """
    if not files:
        return np.empty((0, SIDE, SIDE), np.uint8)
    now = version(closure("stages.split.thumbnails"), PACKAGES)
    return reuse_arrays(_read, files, scratch, now, desc=desc, workers=workers)[:]


def _read(file: Path) -> np.ndarray:
    return thumbnail(decode(file.read_bytes()))


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) `uint8` RGB -> (64, 64) `uint8` grey."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
