"""How light, how red and how yellow a face is, for a linear model: CIE Lab of the sRGB pixels."""

import cv2
import numpy as np

from stages.common.middle import middle

PERCENTILES = (10, 25, 50, 75, 90)


def describe(picture: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 1 or 3) -> float (21,): mean, deviation and percentiles of L, a and b."""
    face = middle(picture).astype(np.float32) / 255
    face = np.repeat(face, 3, axis=2) if face.shape[2] == 1 else face
    pixels = cv2.cvtColor(face, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    spread = np.percentile(pixels, PERCENTILES, axis=0).ravel()
    return np.concatenate([pixels.mean(0), pixels.std(0), spread])
