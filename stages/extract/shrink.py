"""Smaller photos for a detector: its time grows with the number of pixels."""

import cv2
import numpy as np


def shrink(image: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """`image` with no side longer than `side` pixels, and its size as a share of the original's."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image, 1.0
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), scale
