"""What a trial's network says of val: written down when it ends, for the ensemble."""

from typing import NamedTuple

import keras
import numpy as np

from stages.networks.cost import cost
from stages.records.npz_file import NpzFile
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


ANSWERS = NpzFile("val.npz", Answers)  # in a trial's folder
