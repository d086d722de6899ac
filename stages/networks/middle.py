"""The middle of a face crop: the face, without the hair and the background around it."""

from typing import Any

from keras import ops

from stages.common.middle import EDGE


def middle(pixels: Any) -> Any:
    """The inner part of (N, H, W, C) pictures, float32, as `stages.common.middle` cuts it out."""
    _, height, width, _ = pixels.shape
    top, left = round(EDGE * height), round(EDGE * width)
    return ops.cast(pixels, "float32")[:, top : height - top, left : width - left]
