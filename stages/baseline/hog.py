"""A linear model on the directions of a face's edges.

Source: Dalal and Triggs (2005), https://doi.org/10.1109/CVPR.2005.177
"""

import cv2
import numpy as np

from stages.baseline import linear
from stages.baseline.system import Fitted, Job
from stages.common.middle import middle

ABOUT = "logistic regression on the directions of edges (HOG) in the middle of the picture"
SIDE = 64  # pixels
HOG = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9)


def fit(job: Job) -> Fitted:
    return linear.fit(job, describe, "hog")


def describe(picture: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 1 or 3) -> float32 (1764,)."""
    face = cv2.resize(middle(picture), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return HOG.compute(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) if face.ndim == 3 else face)
