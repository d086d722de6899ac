"""Results that outlive a run: N files and k new ones cost k.

Each result lies in a scratch folder under a hash of the file it was made from and of everything
else that decides it (`version`): parameters, code, libraries, weights. So nothing is ever out of
date, whatever was edited, interrupted or restored in between. The scratch is git-ignored and no
DVC output; to delete it costs time and nothing else.
"""

import base64
import contextlib
import hashlib
import importlib.metadata
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from stages.common.parallel import cores, map_cores

FEW = 24  # new results that are not worth starting processes for
BATCH = 64  # files that a thread hashes at a time

log = logging.getLogger(__name__)

# (source file, where its picture goes if it has one) -> what else to know, ready for JSON
Make = Callable[[Path, Path], dict]


@dataclass(frozen=True)
class Made:
    row: dict
    picture: Path | None

    def link(self, path: Path) -> None:
        """Put the picture at `path`: a hard link takes no room, a copy serves other disks."""
        try:
            os.link(self.picture, path)
        except OSError:
            shutil.copy2(self.picture, path)


def version(code: Iterable[Path], packages: Iterable[str], files: Iterable[Path], **made_by) -> str:
    """A hash of what decides the results besides their source files.

    `code`, `files`: their bytes count; `packages`: installed distributions, their versions count;
    `made_by`: parameters, ready for JSON.
    """
    digest = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode())
    for path in [Path(__file__), *sorted(code), *files]:
        digest.update(path.name.encode() + _sha256(path))
    for package in packages:
        digest.update(f"{package}=={importlib.metadata.version(package)}".encode())
    return digest.hexdigest()


def reuse(
    make: Make,
    sources: Sequence[Path],
    scratch: Path,
    version: str,
    *,
    desc: str,
    initializer: Callable[..., None] | None = None,
    initargs: tuple = (),
    workers: int | None = None,
) -> list[Made]:
    """`make` each of `sources` that `scratch` has no result of; return all results, in order.

    Results are kept one by one as they are made, so a run that is killed goes on where it was.
    `make` runs in processes started with `initializer(*initargs)`, and is a function of a module.
    The scratch holds at most two results a source: those not used for longest go first.
    """
    keys = _keys(version, sources)
    made = {key: found for key in keys if (found := _find(scratch, key))}
    todo = {key: path for key, path in zip(keys, sources, strict=True) if key not in made}
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
    made |= zip(todo, new, strict=True)
    _prune(scratch, set(keys))
    return [made[key] for key in keys]


def reuse_arrays(
    of: Callable[[Path], np.ndarray],
    sources: Sequence[Path],
    scratch: Path,
    version: str,
    *,
    desc: str,
    workers: int | None = None,
) -> np.ndarray:
    """`reuse` for small arrays, all of one shape and dtype: (n, ...) of n `sources`, at least one.

    `of` is a function of a module.
    """
    made = reuse(partial(_packed, of), sources, scratch, version, desc=desc, workers=workers)
    return np.stack([_unpacked(each.row) for each in made])


def _packed(of: Callable[[Path], np.ndarray], source: Path, _: Path) -> dict:
    """In the entry itself: a file of its own would take longer to find than to read."""
    array = of(source)
    data = base64.b64encode(array.tobytes()).decode()
    return {"dtype": array.dtype.str, "shape": array.shape, "data": data}


def _unpacked(row: dict) -> np.ndarray:
    return np.frombuffer(base64.b64decode(row["data"]), row["dtype"]).reshape(row["shape"])


def _sha256(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _keys(version: str, sources: Sequence[Path]) -> list[str]:
    def of(start: int) -> list[str]:
        files = sources[start : start + BATCH]
        return [hashlib.sha256(version.encode() + _sha256(f)).hexdigest()[:40] for f in files]

    with ThreadPoolExecutor(cores()) as pool:  # reading and hashing leave Python's lock alone
        return list(chain.from_iterable(pool.map(of, range(0, len(sources), BATCH))))


def _entry(scratch: Path, key: str) -> Path:
    return scratch / key[:2] / f"{key}.json"


def _find(scratch: Path, key: str) -> Made | None:
    """The result, if it is there and its picture is the one that was written with it.

    The picture's file is shared with a stage's output, which somebody may have painted over.
    """
    entry = _entry(scratch, key)
    picture = entry.with_suffix(".png")
    try:
        content = json.loads(entry.read_bytes())
        if content["picture"] is not None and content["picture"] != _stamp(picture):
            return None
        os.utime(entry)  # used now
    except (OSError, ValueError):  # none, or cut short by a power failure
        return None
    return Made(content["row"], picture if content["picture"] else None)


def _stamp(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def _make(make: Make, scratch: Path, job: tuple[str, Path]) -> Made:
    """Picture first, entry last: what has an entry is whole, whenever the process is killed."""
    key, source = job
    entry = _entry(scratch, key)
    picture = entry.with_suffix(".png")
    entry.parent.mkdir(exist_ok=True)
    entry.unlink(missing_ok=True)
    part = entry.with_name(f".{key}.{os.getpid()}.part")
    try:
        row = make(source, part)
        stamp = None
        if part.exists():
            os.replace(part, picture)
            stamp = _stamp(picture)
        part.write_text(json.dumps({"row": row, "picture": stamp}), encoding="utf-8")
        os.replace(part, entry)
    finally:
        part.unlink(missing_ok=True)
    return Made(row, picture if stamp else None)


def _prune(scratch: Path, used: set[str]) -> None:
    files = list(scratch.glob("??/*"))
    entries = {path for path in files if path.suffix == ".json"}
    spare = sorted(
        (path for path in entries if path.stem not in used),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for entry in spare[len(used) :]:
        entry.unlink()
        entries.remove(entry)
    for path in files:  # pictures without an entry, and what killed runs left
        if path.suffix != ".json" and path.with_suffix(".json") not in entries:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
