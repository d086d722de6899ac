"""What every baseline is given, and what it gives back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stages.records.params import Network
from stages.records.shards import Shards

JUDGED = ("val", "test", "wild")


@dataclass(frozen=True)
class Job:
    parts: dict[str, Shards]  # train, val, test, wild
    n_classes: int
    seed: int
    network: Network | None = None  # a network's budget; None for the others
    pretrained: Path | None = None  # file of ImageNet weights, for a network that starts from them


@dataclass(frozen=True)
class Fitted:
    """A baseline that has been fitted on train; nothing but C of a linear model saw val."""

    probabilities: dict[str, np.ndarray]  # of `JUDGED`, float (N, K)
    hyperparameters: dict[str, Any]
    parameters: int | None = None  # numbers in a network's weights
    epochs: list[dict[str, float]] = field(default_factory=list)


def module_file(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.py")
