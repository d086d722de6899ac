"""data/shards/<task>/<part>: pictures in files of about 64 MB.

A folder holds images-00000.npy, ..., labels.npy and index.csv; values.npy where every photo has a
number, such as an exact age; and persons.npy where somebody is known by name. `create` lays them
out, `Writer` fills them, and `Shards` reads any rows.
"""

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from stages.common.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

SHARD_BYTES = 64 * 2**20


class Pictures(Protocol):
    """N pictures of one shape that can be read in any order, from disk or from memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, H, W, C)."""
        ...

    def __len__(self) -> int: ...

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Pictures at `rows` (ints 0..N-1), uint8 (len(rows), H, W, C)."""
        ...


class InMemory:
    """`Pictures` of one array, uint8 (N, H, W, C)."""

    def __init__(self, pictures: np.ndarray) -> None:
        self._pictures = pictures

    @property
    def shape(self) -> tuple[int, ...]:
        return self._pictures.shape

    def __len__(self) -> int:
        return len(self._pictures)

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self._pictures[rows]


class Shards:
    """One part's pictures; memory holds no more of them than the rows asked for.

    `shape`: (N, H, W, C) ints. `labels`: int64 (N,), indices into list(classes). `values`: float32
    (N,), the photos' numbers in their own unit, or None where not every photo has one. `persons`:
    int32 (N,), one number for each person of the task, the same in all parts, -1 for unknown; or
    None where nobody is known.
    Raises `UserError` when `folder` is not a whole folder of shards.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        try:
            images = [np.load(path, mmap_mode="r") for path in _paths(self.folder)]
            self._files = [path.open("rb", buffering=0) for path in _paths(self.folder)]
            self.labels = np.load(self.folder / "labels.npy")
            self.values = _load(self.folder / "values.npy")
            self.persons = _load(self.folder / "persons.npy")
        except (OSError, EOFError, ValueError) as error:
            raise UserError(
                f"{folder} is not a folder of shards ({error}); run `dvc repro`"
            ) from error
        self._offsets = [image.offset for image in images]  # of the pixels in each file
        self._starts = np.cumsum([0, *map(len, images)])  # each shard's first row, and N
        columns = {"labels": self.labels, "values": self.values, "persons": self.persons}
        for name, column in columns.items():
            if column is not None and self._starts[-1] != len(column):
                raise UserError(
                    f"{folder} holds {self._starts[-1]} pictures but {len(column)} {name}; "
                    "delete it, then run `dvc repro`"
                )
        self.shape = (len(self.labels), *images[0].shape[1:])

    def __len__(self) -> int:
        return len(self.labels)

    def index(self) -> "pd.DataFrame":
        """A row a picture: `id` (text) of its photo, `copy`, and the transform's parameters."""
        import pandas as pd  # here, because it doubles the start of every worker process

        return pd.read_csv(self.folder / "index.csv", dtype={"id": str})

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Pictures at `rows` (ints 0..N-1, any order, repeats allowed), uint8 (len(rows), H, W, C).

        Raises IndexError for a row out of range.
        """
        rows = np.asarray(rows, dtype=np.int64)
        if rows.size and (rows.min() < 0 or rows.max() >= len(self)):
            raise IndexError(f"rows must be in 0..{len(self) - 1}; {self.folder} has no others")
        size = math.prod(self.shape[1:])
        pictures = np.empty((len(rows), size), np.uint8)
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        for picture, row, shard in zip(pictures, rows, shards, strict=True):
            # Not through a memory map: its pages would count as this process's memory.
            place = self._offsets[shard] + int(row - self._starts[shard]) * size
            picture[:] = np.frombuffer(os.pread(self._files[shard].fileno(), size, place), np.uint8)
        return pictures.reshape(-1, *self.shape[1:])


class Writer:
    """Fills the shards that `create` laid out; several processes may, each with rows of its own.

    Plain writes instead of a memory map: three times as fast, and a full disk is an OSError, where
    a map would kill the process.
    """

    def __init__(self, folder: Path) -> None:
        first = np.load(folder / "images-00000.npy", mmap_mode="r")
        self._step, self._header = max(len(first), 1), first.offset
        self._picture = math.prod(first.shape[1:])  # bytes
        self._files = [path.open("r+b") for path in _paths(folder)]

    def write(self, start: int, pictures: np.ndarray) -> None:
        """Put `pictures`, uint8 (n, H, W, C), at rows `start` and following."""
        while len(pictures):
            shard, row = divmod(start, self._step)
            now = pictures[: self._step - row]
            self._files[shard].seek(self._header + row * self._picture)
            self._files[shard].write(now.data)
            start, pictures = start + len(now), pictures[len(now) :]

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()


def create(folder: Path, shape: tuple[int, int, int, int]) -> None:
    """Lay out empty shards for `shape` (N, H, W, C) pictures; at least one, even when N is 0."""
    count, *picture = shape
    step = max(1, SHARD_BYTES // math.prod(picture))
    for number, start in enumerate(range(0, max(count, 1), step)):
        rows = min(step, count - start)
        path = folder / f"images-{number:05}.npy"
        np.lib.format.open_memmap(path, "w+", np.uint8, (rows, *picture))


def _load(path: Path) -> np.ndarray | None:
    return np.load(path) if path.exists() else None


def _paths(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("images-*.npy"))
    if not paths:
        raise FileNotFoundError("no images-00000.npy")
    return paths
