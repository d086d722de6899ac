"""The middle of a face crop as a layer: the face, without the hair and the background around it."""

from typing import Any

from keras import layers

from stages.common.middle import EDGE


def middle(pixels: Any) -> Any:
    """The inner part of (N, H, W, C) pictures, as `stages.common.middle` cuts it out of one."""
    _, height, width, _ = pixels.shape
    return layers.Cropping2D((round(EDGE * height), round(EDGE * width)))(pixels)
