"""Where an epoch's time goes: training steps, or waiting for data."""

import time
from typing import NamedTuple

from stages.networks.batches import Batches


class Times(NamedTuple):
    seconds: float  # of the epoch, with its validation
    pictures_per_second: float  # of training alone
    data_wait: float  # share of the training time that went by waiting for data


class Stopwatch:
    """Measures how long steps wait for their batch: from the end of the step before until the batch
    has been read, if that is later. Of steps taken at once, only the wait of the first one counts.
    """

    def __init__(self, batches: Batches) -> None:
        self.batches = batches

    def epoch_begins(self) -> None:
        self.start = self.step_ended = time.perf_counter()
        self.waited, self.steps = 0.0, 0

    def step_ends(self) -> None:
        # A batch may have been read before the epoch began: then there was nothing to wait for.
        ready = self.batches.ready.get(self.steps, 0.0)
        self.waited += max(0.0, ready - self.step_ended)
        self.step_ended = time.perf_counter()
        self.steps += 1

    def epoch_ends(self) -> Times:
        training = self.step_ended - self.start
        seconds = time.perf_counter() - self.start
        return Times(seconds, self.batches.size / training, self.waited / training)
