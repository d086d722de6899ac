"""One part's photos, as the exam needs them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from stages.records.folders import Folders
from stages.records.shards import Pictures, Shards
from stages.records.splits import EXAMS, SPLITS


@dataclass(frozen=True)
class Part:
    """N photos, each with one picture."""

    name: Literal["val", "test", "wild"]
    pictures: Pictures
    labels: np.ndarray  # (N,) int, numbers of classes
    ids: list[str]
    groups: np.ndarray  # (N,) text
    values: np.ndarray  # (N,) float, the photos' numbers, NaN where unknown


def load_parts(at: Folders) -> list[Part]:
    """Val, test and wild."""
    splits = SPLITS.frame(at.splits)
    return [load_part(at, part, splits) for part in ("val", *EXAMS)]


def load_part(at: Folders, name: Literal["val", "test", "wild"], splits: pd.DataFrame) -> Part:
    """`splits`: the frame of splits.csv."""
    shards = Shards(at.shards / name)
    ids = shards.index()["id"]
    rows = splits.set_index("id").loc[ids]
    groups, values = rows["group"].to_numpy(), rows["value"].to_numpy(float)
    return Part(name, shards, shards.labels, ids.tolist(), groups, values)
