"""What a trial's network says of val: written down when it ends, for the ensemble."""

from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np

from stages.common.files import new_file
from stages.networks.cost import cost
from stages.search.trial.features import Halves


class Answers(NamedTuple):
    """What a trial's network says of the N photos of val."""

    plain: np.ndarray  # float32 (N, outputs)
    mirrored: np.ndarray  # the same of the mirrored photos
    trunk: str  # what its trunk is known by; "": it has none
    trunk_cost: float
    cost: float  # without the trunk

    @classmethod
    def of(
        cls, network: keras.Model, parts: Halves | None, plain: np.ndarray, mirrored: np.ndarray
    ) -> "Answers":
        if parts is None:
            return cls(plain, mirrored, "", 0, cost(network))
        return cls(plain, mirrored, parts.key, cost(parts.trunk), cost(parts.head))


class AnswersFile:
    """val.npz in a trial's folder."""

    def path(self, folder: Path) -> Path:
        return folder / "val.npz"

    def read(self, folder: Path) -> Answers:
        with np.load(self.path(folder)) as found:
            return Answers(*(found[name][()] for name in Answers._fields))

    def write(self, folder: Path, answers: Answers) -> None:
        with new_file(self.path(folder)) as part, part.open("wb") as file:
            np.savez(file, **answers._asdict())


ANSWERS = AnswersFile()
