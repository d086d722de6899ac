"""Ending a search early: because somebody asks for it, or because its process has grown."""

from typing import Any

import keras
import psutil
from keras_tuner.errors import FatalError

from stages.search.trial.watch import Stopped

# TensorFlow leaks 7 to 285 MB a trial, whatever is done about it. Only a new process helps.
GROWTH_BYTES = 150 << 20


class Outgrown(FatalError):  # KerasTuner takes any other error for a failed trial
    """This process has grown; the search should go on in a new one."""


class Control:
    """Another thread may set `stop`: the search then ends after the running epoch.

    With `recycle` the search raises `Outgrown` between two trials when the process has grown.
    """

    def __init__(self, recycle: bool = False) -> None:
        self.stop = False
        self.recycle = recycle
        self.sizes: list[int] = []  # bytes, of this process after each of its trials

    def before_trial(self) -> None:
        if self.stop:
            raise Stopped
        if self.recycle and self.sizes and self.sizes[-1] - self.sizes[0] > GROWTH_BYTES:
            raise Outgrown

    def after_trial(self) -> None:
        self.sizes.append(psutil.Process().memory_info().rss)

    def callback(self) -> "_Stop":
        return _Stop(self)


class _Stop(keras.callbacks.Callback):
    def __init__(self, control: Control) -> None:
        super().__init__()
        self.control = control
        self.stopped = False

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if self.control.stop and not self.model.stop_training:  # else patience has ended it
            self.stopped = self.model.stop_training = True
