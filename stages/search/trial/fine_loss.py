"""What a network that learns something finer than the classes is trained and judged by.

Its outputs are F probabilities; each output belongs to one class, and the probability of a class is
the sum of its outputs. A row of targets, float32 (N, 3), is `(class, detail, fine)`. `detail` is
the number of an output, or the picture's number in its own unit. Where `fine` is 1 the loss looks
at the outputs, where it is 0 at the classes.
"""

from collections.abc import Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops


def sums(classes: Sequence[int], n: int) -> np.ndarray:
    """float32 (F, n): 1 where an output belongs to a class. `outputs @ sums` are the classes."""
    return np.eye(n, dtype=np.float32)[list(classes)]


@keras.saving.register_keras_serializable(package="faces")
class FineLoss(keras.losses.Loss):
    """The cross-entropy of the outputs (`fine` is 1), or that of the classes (`fine` is 0).

    The second one is the classes' log loss. Without `steps` the outputs learn `detail` one-hot.
    With the outputs' numbers `steps` they learn a normal distribution of width `sigma` around it
    (label distribution learning: Geng et al. 2013, https://doi.org/10.1109/TPAMI.2013.51).
    """

    def __init__(
        self,
        classes: Sequence[int],
        n: int,
        steps: Sequence[float] | None = None,
        sigma: float | None = None,
        name: str = "fine_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.classes, self.n, self.steps, self.sigma = classes, n, steps, sigma

    def get_config(self) -> dict[str, Any]:
        own = {"classes": self.classes, "n": self.n, "steps": self.steps, "sigma": self.sigma}
        return super().get_config() | own

    def call(self, y_true: Any, y_pred: Any) -> Any:
        label, detail, fine = y_true[:, 0], y_true[:, 1], y_true[:, 2]
        of_outputs = _cross_entropy(self._wanted(detail), y_pred)
        classes = ops.matmul(y_pred, sums(self.classes, self.n))
        of_classes = _cross_entropy(ops.one_hot(ops.cast(label, "int32"), self.n), classes)
        return ops.where(fine > 0, of_outputs, of_classes)

    def _wanted(self, detail: Any) -> Any:
        if self.steps is None:
            return ops.one_hot(ops.cast(detail, "int32"), len(self.classes))
        distance = (np.array(self.steps, np.float32) - ops.expand_dims(detail, 1)) / self.sigma
        return ops.softmax(-(distance**2) / 2)  # the density, so that its sum over the steps is 1


def _cross_entropy(wanted: Any, probabilities: Any) -> Any:
    floor = keras.config.epsilon()  # as in Keras' own losses
    return -ops.sum(wanted * ops.log(ops.clip(probabilities, floor, 1)), axis=1)


class _Measure:
    """A function of a batch that Keras can save. Keras takes the mean of its results.

    No `keras.metrics.Metric`: that has counters, and AutoKeras compiles all networks of a search
    with the same objects.
    """

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**config)


@keras.saving.register_keras_serializable(package="faces")
class ClassAccuracy(_Measure):
    """1 where the largest sum is that of the right class."""

    name = "accuracy"

    def __init__(self, classes: Sequence[int], n: int) -> None:
        self.classes, self.n = classes, n

    def get_config(self) -> dict[str, Any]:
        return {"classes": self.classes, "n": self.n}

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        answered = ops.argmax(ops.matmul(y_pred, sums(self.classes, self.n)), axis=1)
        return ops.cast(ops.equal(answered, ops.cast(y_true[:, 0], answered.dtype)), "float32")


@keras.saving.register_keras_serializable(package="faces")
class NumberError(_Measure):
    """How far the expectation of the outputs' numbers is from the picture's number."""

    name = "mae"

    def __init__(self, steps: Sequence[float]) -> None:
        self.steps = steps

    def get_config(self) -> dict[str, Any]:
        return {"steps": self.steps}

    def __call__(self, y_true: Any, y_pred: Any) -> Any:
        return ops.abs(ops.matmul(y_pred, np.array(self.steps, np.float32)) - y_true[:, 1])
