"""Grey pictures and RGB ones, from either."""

from typing import Any

import numpy as np
from keras import ops

GREY = np.array([4899, 9617, 1868], np.float32)  # of R, G and B, in 16384 parts, as OpenCV


def rgb(pixels: Any) -> Any:
    """(N, H, W, 1 or 3) to (N, H, W, 3)."""
    return pixels if pixels.shape[-1] == 3 else ops.repeat(pixels, 3, axis=-1)


def grey(pixels: Any) -> Any:
    """Pixels 0 to 255, (N, H, W, 1 or 3), to whole numbers (N, H, W, 1), rounded as OpenCV does."""
    if pixels.shape[-1] == 1:
        return pixels
    return ops.floor((ops.sum(pixels * GREY, axis=-1, keepdims=True) + 8192) / 16384)
