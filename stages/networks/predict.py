"""From a saved network to class probabilities, for a part's pictures or for one photo."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from stages.records.calibration import Calibration, Sigma
from stages.records.shards import Pictures

if TYPE_CHECKING:
    import keras

BATCH = 256


def outputs(model: "keras.Model", pictures: Pictures) -> np.ndarray:
    """What the network answers to N pictures, in order, as float32.

    Shape (N, K): probabilities of K classes. Shape (N, 1): the probability of the second of two
    classes, or the number of a regression.
    """
    batches = [
        model.predict_on_batch(pictures.read(np.arange(start, min(start + BATCH, len(pictures)))))
        for start in range(0, len(pictures), BATCH)
    ]
    return np.concatenate(batches) if batches else np.empty((0, model.output_shape[-1]), np.float32)


def class_probabilities(outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Turn a network's `outputs`, (N, K) or (N, 1), into float64 (N, K) whose rows sum to 1.

    A classification's probabilities are softmax(log p / temperature) (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599). A regression's number is the mean of a normal distribution;
    a class has the probability mass between the edges of its bin. Either way the answer is the
    class with the highest probability.
    """
    if isinstance(calibration, Sigma):
        from scipy.stats import norm

        edges = bin_edges(calibration.bins)
        below = norm.cdf((edges[None] - outputs.astype(np.float64)) / calibration.sigma)
        return np.diff(below, axis=1)
    if outputs.shape[1] == 1:
        outputs = np.hstack([1 - outputs, outputs])
    from scipy.special import softmax

    # float32 cannot tell probabilities this close to 0 from 0, so their logarithm has a floor.
    known = np.maximum(outputs.astype(np.float64), np.finfo(np.float32).eps)
    return softmax(np.log(known) / calibration.temperature, axis=1)


def bin_edges(bins: dict[str, tuple[float, float]]) -> np.ndarray:
    """float (K + 1,): the middle of each gap between two bins, between minus and plus infinity."""
    between = [(a[1] + b[0]) / 2 for a, b in pairwise(bins.values())]
    return np.array([-np.inf, *between, np.inf])
