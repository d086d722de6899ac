"""Where an epoch's time goes: training steps, or waiting for data."""

import time

from stages.common.batches import Batches


class Stopwatch:
    """Told when steps begin and end; knows how long they waited for their batch.

    A step waits from the end of the one before until its batch has been read, if that is later.
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def epoch_begins(self) -> None:
        self.start = self.step_ended = time.perf_counter()
        self.waited, self.steps = 0.0, 0

    def step_ends(self) -> None:
        # Read-ahead may have begun before the epoch did: then there was nothing to wait for.
        ready = self.batches.ready.get(self.steps, 0.0)
        self.waited += max(0.0, ready - self.step_ended)
        self.step_ended = time.perf_counter()
        self.steps += 1

    def epoch_ends(self) -> dict[str, float]:
        """`seconds` of the epoch with its validation; `pictures_per_second` of training alone;
        `data_wait`: the share of the training time that went by waiting for data."""
        training = self.step_ended - self.start
        return {
            "seconds": time.perf_counter() - self.start,
            "pictures_per_second": self.batches.size / training,
            "data_wait": self.waited / training,
        }
