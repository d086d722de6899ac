"""Photos as they are compared: small, grey, square."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stages.common.images import decode
from stages.common.parallel import map_cores

SIDE = 64  # pixels
BLOCK = 32  # photos that a process takes at a time
FEW = 8  # blocks that are not worth starting processes for


def thumbnails(files: Sequence[Path], *, desc: str, workers: int | None = None) -> np.ndarray:
    """(n, 64, 64) `uint8`: the pictures in grey, squeezed into a square."""
    blocks = [files[k : k + BLOCK] for k in range(0, len(files), BLOCK)]
    read = map_cores(
        _read, blocks, desc=desc, total=len(blocks), unit="block", workers=workers, few=FEW
    )
    return np.concatenate(list(read)) if blocks else np.empty((0, SIDE, SIDE), np.uint8)


def _read(files: Sequence[Path]) -> np.ndarray:
    return np.stack([thumbnail(decode(path.read_bytes())) for path in files])


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) `uint8` RGB -> (64, 64) `uint8` grey."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
