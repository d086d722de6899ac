"""What a simple classifier sees of a face: the directions of its edges, and its colours."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from stages.common import images
from stages.common.images import read_png
from stages.common.reuse import reuse_arrays, version

# Source: Dalal and Triggs (2005), https://doi.org/10.1109/CVPR.2005.177
HOG = cv2.HOGDescriptor((128, 128), (16, 16), (16, 16), (8, 8), 9)
EDGE = 0.22  # share of the crop on each side that shows hair and background
CODE = [Path(__file__), Path(images.__file__)]
PACKAGES = ["opencv-python-headless", "numpy"]


def features(faces: Sequence[Path], scratch: Path) -> np.ndarray:
    """(n, 2352) `float32` of n face crops (PNG, RGB).

    What `scratch` has of an earlier run is not computed again, see `stages.common.reuse`.
    """
    return reuse_arrays(_read, faces, scratch, version(CODE, PACKAGES, []), desc="features")


def _read(face: Path) -> np.ndarray:
    return describe(read_png(face))


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
