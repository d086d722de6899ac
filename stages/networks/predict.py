"""From a saved network to class probabilities and numbers, for a part's pictures or one photo."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from stages.networks.bins import bin_edges
from stages.records.calibration import Calibration, Sigma
from stages.records.shards import Pictures
from stages.records.trials import Kind, Outputs

BATCH = 16  # a face network holds 20 MB for each picture that it answers at once


class Network(Protocol):
    """A `keras.Model`, or a `stages.networks.lite.Lite`."""

    @property
    def outputs(self) -> Sequence[Any]: ...  # each with a `shape` that ends in its numbers

    def predict_on_batch(self, pictures: np.ndarray, /) -> Any: ...


def outputs(model: Network, pictures: Pictures, kind: Kind = "classification") -> Outputs:
    """What the network answers to N pictures, in order.

    `kind` tells the number of a regression from the probability of the second of two classes.
    """
    found = [[np.empty((0, each.shape[-1]), np.float32)] for each in model.outputs]
    for start in range(0, len(pictures), BATCH):
        rows = np.arange(start, min(start + BATCH, len(pictures)))
        answers = model.predict_on_batch(pictures.read(rows))
        for batches, batch in zip(found, answers if len(found) > 1 else [answers], strict=True):
            batches.append(batch)
    raw, *others = map(np.concatenate, found)
    numbers = raw if kind == "regression" else others[0] if others else None
    return Outputs(raw, None if numbers is None else numbers[:, 0])


def class_probabilities(raw: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Turn `Outputs.raw`, (N, K) or (N, 1), into float64 (N, K) whose rows sum to 1.

    A classification's probabilities are softmax(log p / temperature) (Guo et al. 2017,
    https://arxiv.org/abs/1706.04599). A regression's number is the mean of a normal distribution;
    a class has the probability mass between the edges of its bin. Either way the answer is the
    class with the highest probability.
    """
    if isinstance(calibration, Sigma):
        from scipy.stats import norm

        edges = bin_edges(calibration.bins)
        below = norm.cdf((edges[None] - raw.astype(np.float64)) / calibration.sigma)
        return np.diff(below, axis=1)
    if raw.shape[1] == 1:
        raw = np.hstack([1 - raw, raw])
    from scipy.special import softmax

    # float32 cannot tell probabilities this close to 0 from 0, so their logarithm has a floor.
    known = np.maximum(raw.astype(np.float64), np.finfo(np.float32).eps)
    return softmax(np.log(known) / calibration.temperature, axis=1)
