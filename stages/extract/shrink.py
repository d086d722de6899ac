"""Photos made smaller for a detector, whose time goes with the pixels."""

import cv2
import numpy as np


def shrink(image: np.ndarray, side: int) -> tuple[np.ndarray, float]:
    """`image` with a longest side of at most `side` pixels, and (its size / the original's)."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image, 1.0
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), scale
