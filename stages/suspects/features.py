"""What a simple classifier sees of a face: the directions of its edges, and its colours."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stages.common.images import read_png
from stages.common.parallel import map_cores

# Source: Dalal and Triggs (2005), https://doi.org/10.1109/CVPR.2005.177
HOG = cv2.HOGDescriptor((128, 128), (16, 16), (16, 16), (8, 8), 9)
EDGE = 0.22  # share of the crop on each side that shows hair and background
BLOCK = 32  # faces that a process takes at a time
FEW = 8  # blocks that are not worth starting processes for


def features(faces: Sequence[Path]) -> np.ndarray:
    """(n, 2352) `float32` of n face crops (PNG, RGB)."""
    blocks = [faces[k : k + BLOCK] for k in range(0, len(faces), BLOCK)]
    return np.vstack(
        list(
            map_cores(_read, blocks, desc="features", total=len(blocks), unit="block", few=FEW),
        )
    )


def _read(paths: Sequence[Path]) -> np.ndarray:
    return np.stack([describe(read_png(path)) for path in paths])


def describe(face: np.ndarray) -> np.ndarray:
    """(H, W, 3) `uint8` RGB -> (2352,) `float32`: HOG of 8 x 8 blocks; L, a, b of 4 x 4 fields.

    Of the crop's middle alone: edges of hair and background say less of a class than they confuse.
    """
    top, left = (round(EDGE * side) for side in face.shape[:2])
    middle = face[top:-top, left:-left]
    middle = cv2.resize(middle, (128, 128), interpolation=cv2.INTER_AREA)
    edges = HOG.compute(cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY))
    fields = cv2.resize(middle.astype(np.float32) / 255, (4, 4), interpolation=cv2.INTER_AREA)
    return np.concatenate([edges, cv2.cvtColor(fields, cv2.COLOR_RGB2LAB).ravel()])
