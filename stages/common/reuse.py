"""Results that outlive a run: N files and k new ones cost k.

Each result lies in a scratch folder, under a hash of the file it was made from and of everything
else that decides it (`stages.common.version`): parameters, code, libraries, weights. So no result
is ever out of date, whatever was edited, interrupted or restored in between. Git ignores the
scratch, and it is no output of DVC: deleting it costs time and nothing else.
"""

import contextlib
import hashlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import numpy as np

from stages.common.files import sha256
from stages.common.parallel import cores, map_cores

FEW = 24  # so many new results are made without worker processes, which take longer to start
BATCH = 64  # files that a thread hashes at a time

log = logging.getLogger(__name__)

R = TypeVar("R")  # what is known of a result besides its picture; msgspec writes it as JSON


class _Entry(msgspec.Struct, Generic[R]):
    """The file of one result."""

    row: R
    picture: tuple[int, int] | None  # size and time of the picture's file, as in `_stamp`


class _Array(msgspec.Struct):
    dtype: str
    shape: tuple[int, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Made(Generic[R]):
    row: R
    picture: str | None  # a `Path` takes five times the memory, and there is one for each photo

    def link(self, path: Path) -> None:
        """Put the picture at `path`: as a hard link, or as a copy where that is another disk."""
        if self.picture is None:
            raise ValueError(f"there is no picture to put at {path}")
        try:
            os.link(self.picture, path)
        except OSError:
            shutil.copy2(self.picture, path)


def reuse(
    make: Callable[[Path, Path], R],
    row: type[R],
    sources: Sequence[Path],
    scratch: Path,
    version: str,
    *,
    desc: str,
    initializer: Callable[..., None] | None = None,
    initargs: tuple = (),
    workers: int | None = None,
) -> list[Made[R]]:
    """`make` each of `sources` that `scratch` has no result of; return all results, in order.

    `make` gets a source and the path where its picture goes, if it has one, and returns a `row`.
    It is a function of a module, and runs in processes started with `initializer(*initargs)`.
    Every result is kept as soon as it is made, so a run that was killed goes on where it was.
    The scratch keeps at most two results for each source; the longest unused go first.
    """
    keys = _keys(version, sources)
    start = {"initializer": initializer, "initargs": initargs}
    made = dict(_results(make, row, keys, sources, scratch, desc=desc, workers=workers, **start))
    return [made[key] for key in keys]


class Arrays:
    """Small arrays of one shape and dtype, on disk: memory holds no more than the rows asked for.

    `arrays[rows]` is an array (n, ...); `rows` are ints, at least one, or a slice.
    """

    def __init__(self, scratch: Path, keys: Sequence[str]) -> None:
        self._scratch, self._keys = scratch, keys

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, rows: np.ndarray | slice) -> np.ndarray:
        places = np.arange(len(self))[rows]
        first = self._read(int(places[0]))
        found = np.empty((len(places), *first.shape), first.dtype)
        for array, place in zip(found, places, strict=True):
            array[...] = self._read(int(place))
        return found

    def _read(self, place: int) -> np.ndarray:
        data = _path(self._scratch, self._keys[place]).read_bytes()
        packed = msgspec.json.decode(data, type=_Entry[_Array]).row
        return np.frombuffer(packed.data, packed.dtype).reshape(packed.shape)


def reuse_arrays(
    of: Callable[[Path], np.ndarray],
    sources: Sequence[Path],
    scratch: Path,
    version: str,
    *,
    desc: str,
    workers: int | None = None,
) -> Arrays:
    """As `reuse`, for small arrays of one shape and dtype; at least one source.

    `of` is a function of a module.
    """
    keys = _keys(version, sources)
    make = partial(_packed, of)
    for _ in _results(make, _Array, keys, sources, scratch, desc=desc, workers=workers):
        pass  # what is in them is read when it is asked for
    return Arrays(scratch, keys)


def _results(
    make: Callable[[Path, Path], R],
    row: type[R],
    keys: Sequence[str],
    sources: Sequence[Path],
    scratch: Path,
    *,
    desc: str,
    workers: int | None,
    initializer: Callable[..., None] | None = None,
    initargs: tuple = (),
) -> Iterator[tuple[str, Made[R]]]:
    """Each key once, with its result: first those that `scratch` has, then new ones."""
    todo = {}
    for key, path in dict(zip(keys, sources, strict=True)).items():
        if found := _find(scratch, key, row):
            yield key, found
        else:
            todo[key] = path
    if len(sources) > len(todo):
        log.info("%s: %d of %d as before", desc, len(sources) - len(todo), len(sources))
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / ".gitignore").write_text("*\n")
    new = map_cores(
        partial(_make, make, scratch),
        todo.items(),
        desc=desc,
        total=len(todo),
        initializer=initializer,
        initargs=initargs,
        workers=workers,
        few=FEW,
    )
    yield from zip(todo, new, strict=True)
    _prune(scratch, set(keys))


def _packed(of: Callable[[Path], np.ndarray], source: Path, _: Path) -> _Array:
    """In the entry itself: a file of its own would take longer to find than to read."""
    array = of(source)
    return _Array(array.dtype.str, array.shape, array.tobytes())


def _keys(version: str, sources: Sequence[Path]) -> list[str]:
    def of(start: int) -> list[str]:
        files = sources[start : start + BATCH]
        return [hashlib.sha256(f"{version} {sha256(f)}".encode()).hexdigest()[:40] for f in files]

    with ThreadPoolExecutor(cores()) as pool:  # reading and hashing do not hold Python's lock
        return list(chain.from_iterable(pool.map(of, range(0, len(sources), BATCH))))


def _path(scratch: Path, key: str) -> Path:
    return scratch / key[:2] / f"{key}.json"


def _find(scratch: Path, key: str, row: type[R]) -> Made[R] | None:
    """The result, if it is there and its picture is the one that was written with it.

    A stage's output shares the picture's file, and somebody may have painted over it.
    """
    path = _path(scratch, key)
    picture = path.with_suffix(".png")
    try:
        entry = msgspec.json.decode(path.read_bytes(), type=_Entry[row])
        if entry.picture is not None and entry.picture != _stamp(picture):
            return None
        os.utime(path)  # used now
    except (OSError, msgspec.DecodeError):  # there is none, or a power failure cut it short
        return None
    return Made(entry.row, str(picture) if entry.picture else None)


def _stamp(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _make(make: Callable[[Path, Path], R], scratch: Path, job: tuple[str, Path]) -> Made[R]:
    """Write the picture first and the entry last: a result with an entry is whole."""
    key, source = job
    path = _path(scratch, key)
    picture = path.with_suffix(".png")
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    part = path.with_name(f".{key}.{os.getpid()}.part")
    try:
        row = make(source, part)
        stamp = None
        if part.exists():
            os.replace(part, picture)
            stamp = _stamp(picture)
        part.write_bytes(msgspec.json.encode(_Entry(row, stamp)))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return Made(row, str(picture) if stamp else None)


def _prune(scratch: Path, used: set[str]) -> None:
    others = [path for path in scratch.glob("??/*") if path.stem not in used]
    entries = {path for path in others if path.suffix == ".json"}
    spare = sorted(entries, key=lambda path: path.stat().st_mtime, reverse=True)
    for entry in spare[len(used) :]:
        entry.unlink()
        entries.remove(entry)
    for path in others:  # pictures without an entry, and what killed runs left
        if path.suffix != ".json" and path.with_suffix(".json") not in entries:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
