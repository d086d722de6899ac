"""The middle of a face crop: the face, without the hair and the background around it."""

import numpy as np

EDGE = 0.22  # share of the picture on each side that is left out


def middle(picture: np.ndarray) -> np.ndarray:
    """The inner part of a (H, W, C) picture."""
    top, left = (round(EDGE * side) for side in picture.shape[:2])
    return picture[top:-top, left:-left]
