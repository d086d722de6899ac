"""One task's photos, from a finished pipeline, and pictures made of them anew."""

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from stages.augment.augment import augment
from stages.records.folders import Folders
from stages.records.params import Augment, Task
from stages.records.shards import Shards
from stages.records.splits import DUPLICATES, SPLITS, Assignment, Duplicate, Part

SIDE = 48  # pixels at most, whatever the task asks for: quick, and shows what there is to show


@dataclass(frozen=True)
class Photos:
    task: str
    params: Task
    assigned: Sequence[Assignment]  # every photo that is in a part
    duplicates: Sequence[Duplicate]
    mattes: Path  # data/mattes/<task>
    at: Folders | None = None  # the finished pipeline; None: there are cut-outs and nothing else

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
        counts = Counter(p.person for p in self.assigned if p.part != "wild" and p.person)
        return {person for person, count in counts.items() if count > 1}

    def of(self, *parts: str) -> list[Assignment]:
        return [photo for photo in self.assigned if photo.part in parts]


def load_photos(task: str, params: Task, root: Path = Path()) -> Photos:
    """Raises `UserError` where the pipeline has not been run."""
    at = Folders(task, root)
    assigned, duplicates = SPLITS.read(at.splits), DUPLICATES.read(at.splits)
    return Photos(task, params, assigned, duplicates, at.mattes, at)


class Copies:
    """Pictures that augmentation made of some photos, in shards."""

    def __init__(self, shards: Shards) -> None:
        self.shards = shards
        index = shards.index()
        self.ids = index["id"].to_numpy(str)  # (N,), the photo of each picture
        self._copy = index["copy"].to_numpy()

    def rows(self, photos: Iterable[Assignment], first: int | None = None) -> np.ndarray:
        """Rows of the pictures of `photos`; `first`: only so many of each.

        A photo's first picture is the photo as it is.
        """
        wanted = np.isin(self.ids, [photo.id for photo in photos])
        if first is not None:
            wanted &= self._copy < first
        return np.flatnonzero(wanted)

    def groups(self, photos: Iterable[Assignment]) -> np.ndarray:
        """(N,), the group of each picture; `photos` are all photos that have one."""
        group = {photo.id: photo.group for photo in photos}
        return np.array([group[id] for id in self.ids])


@contextmanager
def copies(photos: Photos, of: Sequence[Assignment], params: Augment) -> Iterator[Copies]:
    """`params.copies` pictures of each of the photos `of`, in a folder that is gone afterwards."""
    # All of them as train, the only part that has copies. `augment` insists on all classes in val
    # and test; these pictures are written and never read.
    parts: tuple[Part, ...] = ("train", "val", "test")
    rows = [replace(photo, part=part) for part in parts for photo in of]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, photos.task)
        augment(rows, photos.mattes, out, params, photos.classes)
        yield Copies(Shards(out / "train"))
