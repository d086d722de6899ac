"""A saved network's class probabilities for a part's pictures, a batch at a time."""

from typing import TYPE_CHECKING

import numpy as np

from stages.common.shards import Shards

if TYPE_CHECKING:
    import keras

BATCH = 256


def probabilities(model: "keras.Model", shards: Shards) -> np.ndarray:
    """float32 (N, K) for all N pictures in order; one sigmoid unit becomes two columns."""
    batches = [
        model.predict_on_batch(shards.read(np.arange(start, min(start + BATCH, len(shards)))))
        for start in range(0, len(shards), BATCH)
    ]
    raw = np.concatenate(batches) if batches else np.empty((0, model.output_shape[-1]), np.float32)
    return np.hstack([1 - raw, raw]) if raw.shape[1] == 1 else raw
