"""The directions of a face's edges (HOG) as fixed layers.

Dalal and Triggs (2005), https://doi.org/10.1109/CVPR.2005.177. The numbers are those of OpenCV's
HOGDescriptor, whose arctangent is an approximation.
"""

from typing import Any

import numpy as np
from keras import layers, ops

from stages.networks.channels import grey
from stages.networks.middle import middle
from stages.networks.resample import area, fixed, resample

SIDE = 64  # pixels that the face is resized to
CELL, BLOCK, BINS = 8, 16, 9  # pixels, pixels, directions from 0 to 180 degrees
CELLS = BLOCK // CELL  # of a block, each way
NUMBERS = CELLS * CELLS * BINS  # of a block


def hog(pixels: Any) -> Any:
    """Pixels 0 to 255, (N, H, W, 1 or 3), to (N, 1764): 36 numbers of each of 7 x 7 blocks."""
    face = middle(pixels)
    _, height, width, _ = face.shape
    face = ops.round(resample(face, area(height, SIDE), area(width, SIDE)))
    blocks = _histograms(_directions(grey(face)))
    blocks = ops.minimum(blocks / (_length(blocks) + 0.1 * NUMBERS), 0.2)
    blocks = blocks / (_length(blocks) + 1e-3)
    return ops.reshape(blocks, (-1, blocks.shape[1] * NUMBERS))


def _directions(face: Any) -> Any:
    """How much each pixel changes, (N, 64, 64, 9): shared by the two bins around the direction."""
    wide = ops.pad(face, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="reflect")
    right = wide[:, 1:-1, 2:] - wide[:, 1:-1, :-2]
    down = wide[:, 2:, 1:-1] - wide[:, :-2, 1:-1]
    place = ops.arctan2(down, right) * (BINS / np.pi) - 0.5  # 0: the middle of the first bin
    bins = np.arange(BINS, dtype=np.float32)
    away = ops.mod(place - bins + BINS / 2, float(BINS)) - BINS / 2
    change = ops.sqrt(ops.square(right) + ops.square(down))
    return change * ops.relu(1 - ops.abs(away))


def _histograms(directions: Any) -> Any:
    """(N, 49, 36): blocks by column; in each, cells by column; in each cell, directions.

    A pixel counts for the cells around it by its distance, and less far from the block's middle.
    """
    places = np.arange(BLOCK)
    near = np.exp(-(((places - BLOCK / 2) / (BLOCK / 4)) ** 2) / 2)
    cells = (np.arange(CELLS) + 0.5) * CELL - 0.5
    share = near[:, None] * np.clip(1 - np.abs(places[:, None] - cells) / CELL, 0, None)
    kernel = np.einsum("yj,xi->yxij", share, share).reshape(BLOCK, BLOCK, 1, -1)
    sums = layers.DepthwiseConv2D(
        BLOCK,
        CELL,
        depth_multiplier=CELLS * CELLS,
        use_bias=False,
        trainable=False,
        dtype="float32",
    )
    blocks = fixed(sums, np.repeat(kernel, BINS, axis=2), directions)
    side = blocks.shape[1]
    blocks = ops.reshape(blocks, (-1, side, side, BINS, CELLS * CELLS))
    blocks = ops.transpose(blocks, (0, 2, 1, 4, 3))
    return ops.reshape(blocks, (-1, side * side, NUMBERS))


def _length(blocks: Any) -> Any:
    return ops.sqrt(ops.sum(ops.square(blocks), axis=-1, keepdims=True))
