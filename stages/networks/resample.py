"""Pictures at another size as fixed layers: each axis is one product with a matrix."""

from typing import Any

import numpy as np
from keras import layers


def resample(pixels: Any, rows: np.ndarray, columns: np.ndarray) -> Any:
    """(N, H, W, C) to (N, h, w, C), float32.

    `rows`, (h, H), and `columns`, (w, W): how much of each source row or column is in a new one.
    """
    _, _, width, channels = pixels.shape
    for equation, shape, matrix in (
        ("nhwc,hi->niwc", (len(rows), width, channels), rows),
        ("nhwc,wi->nhic", (len(rows), len(columns), channels), columns),
    ):
        layer = layers.EinsumDense(equation, shape, trainable=False, dtype="float32")
        pixels = fixed(layer, matrix.T, pixels)
    return pixels


def fixed(layer: layers.Layer, kernel: np.ndarray, node: Any) -> Any:
    """What `layer` makes of `node` with this kernel as its only weights."""
    layer.build((None, *node.shape[1:]))
    layer.set_weights([kernel])
    return layer(node)


def area(source: int, target: int) -> np.ndarray:
    """(target, source): each new pixel is the mean of what it covers, as OpenCV's INTER_AREA."""
    edges = np.linspace(0, source, target + 1)
    pixels = np.arange(source)
    low = np.maximum(edges[:-1, None], pixels)
    high = np.minimum(edges[1:, None], pixels + 1)
    return np.clip(high - low, 0, None) * target / source


def linear(places: np.ndarray, step: float, source: int) -> np.ndarray:
    """(len(places), source): values at `places`, in pixels of a row that goes on as at its ends.

    `step`: the distance from one place to the next. Above 1, each is a mean over what lies between,
    so that nothing is skipped.
    """
    reach = max(1.0, step)
    near = np.arange(np.floor(places.min() - reach), np.ceil(places.max() + reach) + 1)
    weights = np.clip(1 - np.abs(near - places[:, None]) / reach, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    inside = np.clip(near, 0, source - 1)
    return weights @ (inside[:, None] == np.arange(source))
