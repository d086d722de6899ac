"""data/baseline/<task>: simpler systems on the same split."""

from typing import Literal

from stages.records.json_file import JsonFile
from stages.records.record import Record
from stages.records.trials import Epoch, Setting


class Baseline(Record):
    """How one of them was fitted."""

    name: str
    kind: Literal["majority", "classical", "network"]
    about: str  # for people
    seconds: float
    parameters: int | None  # numbers in a model's weights
    weights: str  # "none", "from scratch" or "ImageNet"
    hyperparameters: dict[str, Setting]
    epochs: tuple[Epoch, ...]
    started_ms: int
    ended_ms: int
    error: str | None  # why it has no predictions


BASELINES = JsonFile("baselines.json", list[Baseline])
