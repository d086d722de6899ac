"""What a network learns to tell of a picture: its class, something finer, or a number.

`targets(shards, training=...)`: an array with a row for each picture, which the loss takes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

import autokeras as ak
import keras
import numpy as np

from stages.common.errors import UserError
from stages.networks.bins import bin_edges
from stages.records.shards import Shards
from stages.records.trials import Outputs
from stages.search.trial.fine_loss import ClassAccuracy, FineLoss, NumberError, sums
from stages.search.trial.heads import FineHead, RegressionHead

STEPS = 91  # of a number: a year each for ages from 0 to 90
SIGMAS = 30  # in the range of the training values: 3 years of 90


@dataclass(frozen=True)
class Classification:
    """One of `n` classes. Output k of a network is class k, also where the data lack one."""

    n: int
    kind: ClassVar[Literal["classification"]] = "classification"
    head_name: ClassVar[str] = "classification_head_1"  # begins the names of its hyperparameters

    @property
    def loss(self) -> str:
        return "binary_crossentropy" if self.n == 2 else "categorical_crossentropy"

    @property
    def metrics(self) -> list[str]:  # Keras' names, as of the loss
        return ["accuracy"]

    def targets(self, shards: Shards, *, training: bool) -> np.ndarray:
        """(N, 1) int64 0 or 1 for two classes, else one-hot (N, n) float32.

        AutoKeras does not encode these again.
        """
        labels = np.asarray(shards.labels)
        if self.n == 2:
            return labels[:, None]
        return np.eye(self.n, dtype=np.float32)[labels]

    def error(self, answers: np.ndarray, shards: Shards) -> float:
        """The log loss of `answers`, float32 (N, n), or (N, 1) for two classes."""
        return log_loss(shards.labels, answers)

    def head(self) -> ak.Head:
        return ak.ClassificationHead(num_classes=self.n, name=self.head_name)


@dataclass(frozen=True)
class Fine:
    """Something finer than the `n` classes: persons, or steps of a number.

    Output i belongs to class `classes[i]`, and the probability of a class is the sum of its
    outputs (see `finish`). The network trains on what is finer, and is judged on val by its
    classes: `val_loss` is their log loss, `val_accuracy` their accuracy.
    """

    n: int
    classes: tuple[int, ...]
    persons: tuple[int, ...] | None = None  # of each output, a number of `Shards.persons`
    steps: tuple[float, ...] | None = None  # or the number of each output
    sigma: float | None = None  # of the normal distribution around a number that is learnt
    kind: ClassVar[Literal["classification"]] = "classification"
    head_name: ClassVar[str] = "classification_head_1"

    @classmethod
    def of_persons(cls, train: Shards, n: int) -> "Fine":
        """An output for each person in each class. Raises `UserError` for an unknown person."""
        if train.persons is None or (train.persons < 0).any():
            raise UserError(f"{train.folder}: search.fine: person, but some photos have no person")
        pairs = np.unique(np.stack([train.persons, train.labels], axis=1), axis=0)
        persons, classes = pairs.T.tolist()
        return cls(n, tuple(classes), persons=tuple(persons))

    @classmethod
    def of_values(cls, train: Shards, bins: dict[str, tuple[float, float]]) -> "Fine":
        """Steps of the number: over the bins, but at most 3 sigma beyond the training values.

        Raises `UserError` where values are missing or all the same, or a bin is too narrow.
        """
        values = _differing_values(train)
        low, high = float(values.min()), float(values.max())
        sigma = (high - low) / SIGMAS
        edges = bin_edges(bins)[1:-1]
        numbers = [number for span in bins.values() for number in span]
        first, last = max(min(numbers), low - 3 * sigma), min(max(numbers), high + 3 * sigma)
        steps = np.linspace(first, last, STEPS)
        classes = np.searchsorted(edges, steps).tolist()
        lacking = [name for k, name in enumerate(bins) if k not in classes]
        if lacking:
            raise UserError(
                f"search.fine: value has {STEPS} steps from {first:g} to {last:g}, and none is in "
                f"the bin of {', '.join(lacking)}; make it wider, or set search.fine to null"
            )
        return cls(len(bins), tuple(classes), steps=tuple(steps.tolist()), sigma=sigma)

    @property
    def loss(self) -> FineLoss:
        return FineLoss(self.classes, self.n, self.steps, self.sigma)

    @property
    def metrics(self) -> list[Callable]:
        accuracy = ClassAccuracy(self.classes, self.n)
        return [accuracy] if self.steps is None else [accuracy, NumberError(self.steps)]

    def targets(self, shards: Shards, *, training: bool) -> np.ndarray:
        """(N, 3) float32, see `fine_loss`. A person that train does not know has a class alone."""
        labels = np.asarray(shards.labels)
        if self.steps is not None:
            detail, known = _values(shards), np.full(len(labels), True)
        else:
            detail = self._outputs(shards.persons, labels)
            known = detail >= 0
        return np.stack([labels, detail, known & training], axis=1).astype(np.float32)

    def _outputs(self, persons: np.ndarray | None, labels: np.ndarray) -> np.ndarray:
        """int (N,): the output of each person in each class, -1 where there is none."""
        if persons is None:
            return np.full(len(labels), -1)
        assert self.persons is not None
        pairs = np.array(self.persons) * self.n + np.array(self.classes)  # in rising order
        wanted = persons.astype(np.int64) * self.n + labels
        found = np.searchsorted(pairs, wanted).clip(max=len(pairs) - 1)
        return np.where(pairs[found] == wanted, found, -1)

    def error(self, answers: np.ndarray, shards: Shards) -> float:
        """The log loss of the classes for `answers`, float32 (N, outputs)."""
        return log_loss(shards.labels, answers @ sums(self.classes, self.n))

    def head(self) -> ak.Head:
        return FineHead(
            len(self.classes), loss=self.loss, metrics=self.metrics, name=self.head_name
        )


@dataclass(frozen=True)
class Regression:
    """A number. `offset` and `scale`: mean and standard deviation of the training values."""

    offset: float
    scale: float
    kind: ClassVar[Literal["regression"]] = "regression"
    head_name: ClassVar[str] = "regression_head_1"
    loss: ClassVar[str] = "mse"

    @classmethod
    def of(cls, train: Shards) -> "Regression":
        """Raises `UserError` where the values are missing or all the same."""
        values = _differing_values(train)
        return cls(float(values.mean()), float(values.std()))

    @property
    def metrics(self) -> list[str]:
        return ["mae"]

    def targets(self, shards: Shards, *, training: bool) -> np.ndarray:
        """(N, 1) float32, in the unit of the photos' values."""
        assert shards.values is not None
        return shards.values[:, None]

    def error(self, answers: np.ndarray, shards: Shards) -> float:
        """The mean squared error of `answers`, float32 (N, 1)."""
        assert shards.values is not None
        return float(((answers[:, 0] - shards.values) ** 2).mean())

    def head(self) -> ak.Head:
        return RegressionHead(
            self.offset, self.scale, loss=self.loss, metrics=self.metrics, name=self.head_name
        )


Target = Classification | Fine | Regression


def finish(model: keras.Model, target: Target) -> keras.Model:
    """The network as it answers: a finer one's outputs summed to `[classes]` or `[classes, value]`.

    classes: float32 (N, n). value: float32 (N, 1), the expectation of the number. Both are plain
    Keras layers that do not train. Other networks are returned as they are.
    """
    if not isinstance(target, Fine):
        return model
    kernels = {"classes": sums(target.classes, target.n)}
    if target.steps is not None:
        kernels["value"] = np.array(target.steps, np.float32)[:, None]
    answers = [_fixed(model.outputs[0], name, kernel) for name, kernel in kernels.items()]
    return keras.Model(model.inputs, answers)


def finished(answers: np.ndarray, target: Target) -> Outputs:
    """What the finished network says where the network itself says `answers`, (N, outputs)."""
    if isinstance(target, Regression):
        return Outputs(answers, answers[:, 0])
    if isinstance(target, Classification):
        return Outputs(answers, None)
    values = None if target.steps is None else answers @ np.array(target.steps, np.float32)
    return Outputs(answers @ sums(target.classes, target.n), values)


def _fixed(node: keras.KerasTensor, name: str, kernel: np.ndarray) -> keras.KerasTensor:
    """`node @ kernel`."""
    layer = keras.layers.Dense(
        kernel.shape[1], use_bias=False, trainable=False, name=name, dtype="float32"
    )
    answer = layer(node)
    layer.set_weights([kernel])
    return answer


def _values(shards: Shards) -> np.ndarray:
    """Raises `UserError` where they are missing."""
    if shards.values is None:
        raise UserError(f"{shards.folder}: not every photo has a value; there is no values.npy")
    return shards.values


def _differing_values(train: Shards) -> np.ndarray:
    """Raises `UserError` where they are missing or all the same."""
    values = _values(train)
    if values.min() == values.max():
        raise UserError(
            f"{train.folder}: all photos have the value {values[0]:g}; nothing to learn"
        )
    return values


def log_loss(labels: np.ndarray, answers: np.ndarray) -> float:
    """`answers`: (N, K) probabilities, or (N, 1) of the second of two classes."""
    if answers.shape[1] == 1:
        answers = np.hstack([1 - answers, answers])
    given = answers[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(given, np.finfo(np.float32).eps)).mean())
