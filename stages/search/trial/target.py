"""What a network learns to tell of a picture: its class, or a number."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import autokeras as ak
import numpy as np

from stages.common.errors import UserError
from stages.records.shards import Shards
from stages.search.trial.heads import RegressionHead


@dataclass(frozen=True)
class Classification:
    """One of `n` classes. Output k of a network is class k, whichever labels occur in the data."""

    n: int
    kind: ClassVar[Literal["classification"]] = "classification"
    head_name: ClassVar[str] = "classification_head_1"  # begins the names of its hyperparameters
    metric: ClassVar[str] = "accuracy"  # Keras' name, as of the loss

    @property
    def loss(self) -> str:
        return "binary_crossentropy" if self.n == 2 else "categorical_crossentropy"

    def targets(self, shards: Shards) -> np.ndarray:
        """(N, 1) int64 0 or 1 for two classes, else one-hot (N, n) float32.

        AutoKeras does not encode these again.
        """
        labels = np.asarray(shards.labels)
        if self.n == 2:
            return labels[:, None]
        return np.eye(self.n, dtype=np.float32)[labels]

    def head(self) -> ak.Head:
        return ak.ClassificationHead(num_classes=self.n, name=self.head_name)


@dataclass(frozen=True)
class Regression:
    """A number. `offset` and `scale`: mean and standard deviation of the training values."""

    offset: float
    scale: float
    kind: ClassVar[Literal["regression"]] = "regression"
    head_name: ClassVar[str] = "regression_head_1"
    metric: ClassVar[str] = "mae"
    loss: ClassVar[str] = "mse"

    @classmethod
    def of(cls, train: Shards) -> "Regression":
        """Raises `UserError` where the values are missing or all the same."""
        if train.values is None:
            raise UserError(f"{train.folder}: not every photo has a value; there is no values.npy")
        offset, scale = float(train.values.mean()), float(train.values.std())
        if not scale:
            raise UserError(
                f"{train.folder}: all photos have the value {offset:g}; nothing to learn"
            )
        return cls(offset, scale)

    def targets(self, shards: Shards) -> np.ndarray:
        """(N, 1) float32, in the unit of the photos' values."""
        assert shards.values is not None
        return shards.values[:, None]

    def head(self) -> ak.Head:
        return RegressionHead(
            self.offset, self.scale, loss=self.loss, metrics=[self.metric], name=self.head_name
        )


Target = Classification | Regression
