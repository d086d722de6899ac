"""What every baseline is given, and what it returns."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.records.shards import Shards
from stages.records.trials import Epoch, Setting

JUDGED = ("val", "test", "wild")


@dataclass(frozen=True)
class Job:
    parts: dict[str, Shards]  # train, val, test, wild
    n_classes: int
    seed: int
    pretrained: Path | None = None  # file of ImageNet weights, for a network that starts from them


@dataclass(frozen=True)
class Fitted:
    """A baseline that was fitted on train; only C of a linear model was chosen on val."""

    probabilities: dict[str, np.ndarray]  # of `JUDGED`, float (N, K)
    hyperparameters: dict[str, Setting]
    parameters: int | None = None  # numbers in a model's weights
    epochs: tuple[Epoch, ...] = ()
