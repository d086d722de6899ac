"""Batches of pictures from disk: memory holds one batch, and those that are read ahead."""

import math
import time
from typing import Any

import keras
import numpy as np

from stages.records.shards import Pictures


class Batches(keras.utils.PyDataset):
    """Batches of `uint8` pictures and their targets: shuffled by a seed, or all rows in order.

    With `samples_per_epoch` an epoch sees the next part of a seeded permutation of all rows: every
    row is seen once before any is seen twice, and an epoch costs the same whatever their number.
    `ready[i]` is when batch i of this epoch was last read, by `time.perf_counter()`.
    """

    def __init__(
        self,
        pictures: Pictures,
        targets: np.ndarray,
        batch_size: int,
        *,
        shuffle_seed: int | None = None,
        samples_per_epoch: int | None = None,
        **threads: Any,
    ) -> None:
        super().__init__(**threads)
        self.pictures, self.targets, self.batch_size = pictures, targets, batch_size
        self.rng = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        self.size = min(samples_per_epoch or len(pictures), len(pictures))
        self.queue = np.empty(0, np.int64)
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(self.size / self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rows[index * self.batch_size : (index + 1) * self.batch_size]
        batch = self.pictures.read(rows), self.targets[rows]
        self.ready[index] = time.perf_counter()
        return batch

    def on_epoch_end(self) -> None:
        """Draw the rows of the next epoch."""
        self.ready: dict[int, float] = {}
        if self.rng is None:
            self.rows = np.arange(self.size)
            return
        while len(self.queue) < self.size:
            self.queue = np.concatenate([self.queue, self.rng.permutation(len(self.pictures))])
        self.rows, self.queue = np.split(self.queue, [self.size])
