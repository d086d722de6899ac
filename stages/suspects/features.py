"""What a simple classifier sees of a face: the directions of its edges, and its colours."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stages.common.closure import closure
from stages.common.images import read_png
from stages.common.middle import middle
from stages.common.reuse import Arrays, reuse_arrays
from stages.common.version import version

# Source: Dalal and Triggs (2005), https://doi.org/10.1109/CVPR.2005.177
HOG = cv2.HOGDescriptor((128, 128), (16, 16), (16, 16), (8, 8), 9)
PACKAGES = ("opencv-python-headless", "numpy")


def features(faces: Sequence[Path], scratch: Path) -> Arrays:
    """(n, 2352) `float32` of n face crops (PNG, RGB).

    Those that `scratch` has of an earlier run are used again, see `stages.common.reuse`.
    """
    now = version(closure("stages.suspects.features"), PACKAGES)
    return reuse_arrays(_read, faces, scratch, now, desc="features")


def _read(face: Path) -> np.ndarray:
    return describe(read_png(face))


def describe(face: np.ndarray) -> np.ndarray:
    """(H, W, 3) `uint8` RGB -> (2352,) `float32`: HOG of 8 x 8 blocks; L, a, b of 4 x 4 fields.

    Only of the crop's middle: edges of hair and background confuse more than they tell of a class.
    """
    square = cv2.resize(middle(face), (128, 128), interpolation=cv2.INTER_AREA)
    edges = HOG.compute(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY))
    fields = cv2.resize(square.astype(np.float32) / 255, (4, 4), interpolation=cv2.INTER_AREA)
    return np.concatenate([edges, cv2.cvtColor(fields, cv2.COLOR_RGB2LAB).ravel()])
