"""What does not train is computed once: the frozen first part of a network, for each picture.

A block whose first part is frozen ends that part with a layer named `FEATURES`. `halves` divides a
network there. `Features` keeps what the first part, the trunk, says of each picture, so that epochs
and further trials train the second part, the head, alone.

Features of a face are biometric data. They lie in scratch (`Plan.scratch`), and nowhere else.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from stages.networks.cost import cost
from stages.networks.export import convert
from stages.networks.lite import Lite
from stages.records.shards import Pictures
from stages.records.trials import FEATURES, LITE
from stages.search.trial import hardware

BATCH = 16  # pictures that a trunk answers at a time
HASH_BATCH = 256  # pictures that are read and hashed at a time
CONVERTING = 1e12  # multiplications: with fewer, it takes longer to write the file than it saves
FLOAT = np.dtype(np.float32)

# Follows the batches, for example with a progress bar
Watch = Callable[[range], Iterable[int]]


@dataclass(frozen=True)
class Halves:
    """The two parts of a network. They share its layers."""

    trunk: keras.Model  # pictures to features
    head: keras.Model  # features to answers

    @cached_property
    def key(self) -> str:
        """What decides features besides the picture: layers, weights, Keras and its backend."""
        found = hashlib.sha256(self.trunk.to_json().encode())
        found.update(f"{keras.__version__} {keras.backend.backend()}".encode())
        for weights in self.trunk.get_weights():
            found.update(weights.tobytes())
        return found.hexdigest()[:16]


def halves(network: keras.Model) -> Halves | None:
    """None where `network` has no frozen first part."""
    if FEATURES not in (layer.name for layer in network.layers):
        return None
    features = network.get_layer(FEATURES).output
    trunk = keras.Model(network.inputs, features, name="trunk")  # the name counts in the key
    if trunk.trainable_weights:
        raise ValueError(f"the layer {FEATURES!r} comes after layers that train")
    return Halves(trunk, keras.Model(features, network.outputs[0], name="head"))


class Mirrored:
    """`Pictures`, each turned left to right."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures, self.shape = pictures, pictures.shape

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self.pictures.read(rows)[:, :, ::-1]


class Rows:
    """Some of the pictures of a part, as `Pictures`."""

    def __init__(self, pictures: Pictures, rows: np.ndarray) -> None:
        self.pictures, self.rows = pictures, rows
        self.shape = (len(rows), *pictures.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self.pictures.read(self.rows[rows])


class Features:
    """A trunk's features of N pictures, on disk; read like `Pictures`.

    `shape`: (N, d). Beside the features lie the hashes of their pictures, so that a picture's
    features are computed once, in any part, row or search that it occurs in. Computing goes on
    after a kill; of two processes, the second waits for the first. Memory holds 24 bytes a picture.
    """

    def __init__(
        self, halves: Halves, pictures: Pictures, scratch: Path, watch: Watch = iter
    ) -> None:
        """Computes what `scratch` lacks, in batches that `watch` follows."""
        trunk = halves.trunk
        self.shape = (len(pictures), int(trunk.output_shape[-1]))
        folder = scratch / halves.key
        folder.mkdir(parents=True, exist_ok=True)
        hashes = _hashes(pictures)
        with _locked(folder / "lock"):
            known = _repaired(folder, self.shape[1])
            _, first = np.unique(hashes, return_index=True)
            todo = np.sort(first[~np.isin(hashes[first], known)])
            answer = _answering(trunk, folder, len(first)) if len(todo) else None
            with (folder / "features").open("ab") as values, (folder / "hashes").open("ab") as keys:
                for start in watch(range(0, len(todo), BATCH)):
                    rows = todo[start : start + BATCH]
                    assert answer
                    values.write(np.asarray(answer(pictures.read(rows)), FLOAT).tobytes())
                    values.flush()  # before the hashes: a hash says that the features are there
                    keys.write(hashes[rows].tobytes())
                    keys.flush()
            known = np.fromfile(folder / "hashes", np.uint64)
        order = np.argsort(known)
        self._rows = order[np.searchsorted(known, hashes, sorter=order)]
        self._file = (folder / "features").open("rb", buffering=0)

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """float32 (len(rows), d)."""
        found = np.empty((len(rows), self.shape[1]), FLOAT)
        size = found[:1].nbytes
        for features, place in zip(found, self._rows[rows], strict=True):
            # Not through a memory map: its pages would count as this process's memory.
            features[:] = np.frombuffer(os.pread(self._file.fileno(), size, place * size), FLOAT)
        return found


def _hashes(pictures: Pictures) -> np.ndarray:
    """uint64 (N,)."""
    return np.fromiter(
        (
            int.from_bytes(hashlib.blake2b(picture.tobytes(), digest_size=8).digest(), "little")
            for start in range(0, len(pictures), HASH_BATCH)
            for picture in pictures.read(np.arange(start, min(start + HASH_BATCH, len(pictures))))
        ),
        np.uint64,
        len(pictures),
    )


def _repaired(folder: Path, width: int) -> np.ndarray:
    """The hashes of the features that are there; what a kill has left half written is cut off."""
    for name in ("features", "hashes"):
        (folder / name).touch()
    row = width * FLOAT.itemsize
    sizes = ((folder / "features").stat().st_size // row, (folder / "hashes").stat().st_size // 8)
    count = min(sizes)
    os.truncate(folder / "features", count * row)
    os.truncate(folder / "hashes", count * 8)
    return np.fromfile(folder / "hashes", np.uint64)


def _answering(trunk: keras.Model, folder: Path, n: int) -> Callable[[np.ndarray], np.ndarray]:
    """uint8 (some of `n`, H, W, C) to (some, d).

    On a CPU LiteRT takes two thirds of TensorFlow's time, once `folder` has its file.
    """
    if hardware.has_gpu() or keras.backend.backend() != "tensorflow":
        return lambda pictures: _padded(trunk, pictures)
    if not (folder / LITE).exists():
        if n * cost(trunk) < CONVERTING:
            return lambda pictures: _padded(trunk, pictures)
        convert(trunk, folder)
    return Lite(folder).predict_on_batch


def _padded(trunk: keras.Model, pictures: np.ndarray) -> np.ndarray:
    """Every batch has the same shape, so that the trunk is compiled once."""
    padded = np.zeros((BATCH, *pictures.shape[1:]), np.uint8)
    padded[: len(pictures)] = pictures
    return np.asarray(trunk.predict_on_batch(padded))[: len(pictures)]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
