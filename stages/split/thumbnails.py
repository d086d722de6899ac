"""Photos as they are compared: small, grey, square."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stages.common import images
from stages.common.images import decode
from stages.common.reuse import reuse_arrays, version

SIDE = 64  # pixels
CODE = [Path(__file__), Path(images.__file__)]
PACKAGES = ["opencv-python-headless", "numpy", "pillow"]


def thumbnails(
    files: Sequence[Path], scratch: Path, *, desc: str, workers: int | None = None
) -> np.ndarray:
    """(n, 64, 64) `uint8`: the pictures in grey, squeezed into a square.

    What `scratch` has of an earlier run is not read again, see `stages.common.reuse`.
    """
    if not files:
        return np.empty((0, SIDE, SIDE), np.uint8)
    now = version(CODE, PACKAGES, [])
    return reuse_arrays(_read, files, scratch, now, desc=desc, workers=workers)


def _read(file: Path) -> np.ndarray:
    return thumbnail(decode(file.read_bytes()))


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) `uint8` RGB -> (64, 64) `uint8` grey."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
