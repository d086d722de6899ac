"""The directions of a face's edges, for a linear model.

Source: Dalal and Triggs (2005), https://doi.org/10.1109/CVPR.2005.177
"""

import cv2
import numpy as np

from stages.common.middle import middle

SIDE = 64  # pixels
HOG = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9)


def describe(picture: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 1 or 3) -> float32 (1764,)."""
    face = cv2.resize(middle(picture), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) if face.ndim == 3 else face
    return np.asarray(HOG.compute(grey))
