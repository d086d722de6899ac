"""What a finished pipeline knows of one task's photos, and pictures of them made anew."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stages.augment.augment import augment
from stages.common.errors import UserError
from stages.common.tables import read_table
from stages.records.params import Augment, Params, Task
from stages.records.shards import Shards

SIDE = 48  # pixels at most, whatever the task asks for: quick, and shows what there is to show


@dataclass(frozen=True)
class Photos:
    """`table`: a row a photo, as in splits.csv: id, label, person, group, part."""

    task: str
    params: Task
    table: pd.DataFrame
    duplicates: pd.DataFrame  # pairs of ids, `a` and `b`
    images: Path  # <id>.png, RGBA

    @property
    def classes(self) -> list[str]:
        return list(self.params.classes)

    @property
    def augment(self) -> Augment:
        """The task's own, its pictures no larger than SIDE."""
        own = self.params.augment
        return own.model_copy(update={"size": min(own.size, SIDE)})

    @property
    def persons(self) -> set[str]:
        """Who is on more than one photo of the pool."""
        pool = self.table[(self.table.part != "wild") & (self.table.person != "")]
        counts = pool.person.value_counts()
        return set(counts.index[counts > 1])

    def of(self, *parts: str) -> pd.DataFrame:
        return self.table[self.table.part.isin(parts)]


def load_photos(task: str, params: Params, project: Path = Path()) -> Photos:
    """Raises `UserError` where the pipeline has not been run."""
    data = project / "data"
    try:
        return Photos(
            task,
            params.task(task),
            read_table(data / "splits" / task / "splits.csv"),
            read_table(data / "splits" / task / "duplicates.csv"),
            data / "mattes" / task / "images",
        )
    except FileNotFoundError as error:
        raise UserError(
            f"{error.filename} is missing: the findings are asked of a finished pipeline; run "
            "`dvc repro`, or name its folder by changing into it"
        ) from None


class Pictures:
    """Copies of some photos in shards. `index`: a row a picture, as `Shards.index`."""

    def __init__(self, shards: Shards) -> None:
        self.shards, self.index = shards, shards.index()

    def rows(self, ids: pd.Series, copies: int | None = None) -> np.ndarray:
        """Of the first `copies` pictures (the first of all is the photo as it is) of these ids."""
        wanted = self.index["id"].isin(set(ids))
        if copies is not None:
            wanted &= self.index["copy"] < copies
        return np.flatnonzero(wanted)


@contextmanager
def pictures(photos: Photos, table: pd.DataFrame, params: Augment) -> Iterator[Pictures]:
    """`params.copies` pictures of each photo of `table`, in a folder that is gone afterwards."""
    # All of them as train, which is what has copies; augment insists on all classes in val and
    # test, which are written and never read.
    others = [table.assign(part=part) for part in ("train", "val", "test")]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, photos.task)
        augment(pd.concat(others), photos.images, out, params, photos.classes)
        yield Pictures(Shards(out / "train"))
