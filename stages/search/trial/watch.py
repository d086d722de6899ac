"""What the tuner expects of its surroundings: somebody writes down its trials, and may end it.

Nothing here decides a trial, with one exception: how often a trial has killed its process.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import keras
from keras_tuner.errors import FatalError

from stages.networks.batches import Batches


class Stopped(FatalError):  # KerasTuner takes any other error for a failed trial
    """The search was asked to end early."""


class Journal(Protocol):
    """Writes down what trials do. A `trial` is KerasTuner's."""

    def catch_up(self, ended: Iterable[Any]) -> None:
        """Write down the end of trials, where a kill came between KerasTuner's note and ours."""
        ...

    def crashes(self, trial: Any) -> list[str]:
        """An error message for each time that the process was killed while it trained `trial`."""
        ...

    def trial_begins(self, trial: Any) -> None: ...

    def features(self, batches: range) -> Iterable[int]:
        """Follow batches of pictures whose features are computed for the running trial."""
        ...

    def training_begins(
        self, model: keras.Model, batches: Batches, epochs: int
    ) -> keras.callbacks.Callback:
        """Returns the callback that follows the training."""
        ...

    def trial_ends(self, trial: Any) -> None: ...


class StopCallback(Protocol):
    stopped: bool  # it has ended a training early


class Control(Protocol):
    """Ends a search early."""

    stop: bool  # after the running epoch

    def before_trial(self) -> None:
        """Raises `FatalError` when there should be no further trial."""
        ...

    def after_trial(self) -> None: ...

    def callback(self) -> StopCallback:
        """A Keras callback that ends the training after the running epoch, when asked to."""
        ...
