"""From a saved network to class probabilities, for a part's pictures or one photo.

What turns one into the other is a task's `calibration`, the content of its calibration.json:
{"kind": "classification", "temperature": 1.3} or
{"kind": "regression", "sigma": 7.9, "bins": {"minor": [0, 18], ...}}.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.records.shards import Shards

if TYPE_CHECKING:
    import keras

BATCH = 256


def outputs(model: "keras.Model", shards: Shards) -> np.ndarray:
    """What the network says of all N pictures in order, float32: (N, K) probabilities, (N, 1) of
    the second of two classes, or (N, 1) numbers of a regression."""
    batches = [
        model.predict_on_batch(shards.read(np.arange(start, min(start + BATCH, len(shards)))))
        for start in range(0, len(shards), BATCH)
    ]
    return np.concatenate(batches) if batches else np.empty((0, model.output_shape[-1]), np.float32)


def class_probabilities(outputs: np.ndarray, calibration: dict[str, Any]) -> np.ndarray:
    """A network's `outputs`, (N, K) or (N, 1) -> float64 (N, K), rows sum to 1.

    Classification: softmax(log p / temperature) (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599). Regression: the mass of a normal distribution around the
    number, of standard deviation sigma, between the edges of the classes' bins. The answer is the
    class with the most mass, whichever kind it is.
    """
    if calibration["kind"] == "regression":
        from scipy.stats import norm

        edges = bin_edges(calibration["bins"])
        below = norm.cdf((edges[None] - outputs.astype(np.float64)) / calibration["sigma"])
        return np.diff(below, axis=1)
    if outputs.shape[1] == 1:
        outputs = np.hstack([1 - outputs, outputs])
    from scipy.special import softmax

    # A float32 so close to 1 is 1: how unlikely the rest was is not known any better than this.
    known = np.maximum(outputs.astype(np.float64), np.finfo(np.float32).eps)
    return softmax(np.log(known) / calibration["temperature"], axis=1)


def bin_edges(bins: dict[str, tuple[float, float]]) -> np.ndarray:
    """(K + 1,) float: the middle of the gap between two bins; the outer ones have no end."""
    between = [(a[1] + b[0]) / 2 for a, b in pairwise(bins.values())]
    return np.array([-np.inf, *between, np.inf])
