"""What a search makes as small or as large as it can."""

from enum import StrEnum
from typing import Literal


class Objective(StrEnum):
    """A metric of the validation part."""

    VAL_LOSS = "val_loss"
    VAL_ACCURACY = "val_accuracy"

    @property
    def direction(self) -> Literal["min", "max"]:
        return "max" if self is Objective.VAL_ACCURACY else "min"

    def better(self, a: float, b: float) -> bool:
        """Whether score `a` is better than score `b`."""
        return a > b if self.direction == "max" else a < b

    def key(self, score: float | None) -> float:
        """To sort by, best first; trials without a score come last."""
        if score is None:
            return float("inf")
        return -score if self.direction == "max" else score
