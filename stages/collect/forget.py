"""python -m stages.collect.forget --person NAME | --sha256 HASH [TASK]

Take a person or a picture out for good: writes tombstones to forgotten.csv, which `collect` reads.
The next `dvc repro` builds everything without them, and no source can bring them back.
"""

import argparse
import re
from pathlib import Path
from typing import NamedTuple

from stages.collect.downloads import DOWNLOADS
from stages.collect.forgotten import person_hash, tombstones
from stages.common.door import enter
from stages.common.errors import UserError
from stages.params.merge import load
from stages.records.folders import Folders
from stages.records.forgotten import FORGOTTEN, Tombstone
from stages.records.manifest import MANIFEST, Photo
from stages.records.params import Params

NEXT_STEPS = """
Commit {file}. What to do next, in this order:
  1. Delete the pictures from the sources: {sources}
  2. dvc repro                   builds everything without them
What older builds still hold, and how to purge it once 2. is done:
  3. rm -rf {scratch}
                                 scratch: downloads, faces, numbers that describe them, cut-outs,
                                 half-done and earlier searches
  4. rm -r {champions}; dvc repro
                                 the champion was trained on them: have a new one chosen
  5. dvc gc --workspace          the cache: all that the present outputs do not need, older
                                 versions of everything included
     dvc gc --workspace --cloud --remote NAME     the same for each remote (`dvc remote list`)
  6. rm -rf mlruns; dvc repro    MLflow's local store is filled anew from the outputs; on a
                                 server: delete the older runs and model versions of
                                 {models}, then `mlflow gc`
Others who cloned the project do 2. to 6., too. Git holds no photos, but paths in an older
params.yaml or list may contain a name.
"""


class Seen(NamedTuple):
    """A photo that a task has collected."""

    task: str
    photo: Photo


def forget_person(person: str, seen: list[Seen], task: str) -> tuple[list[Tombstone], list[Seen]]:
    """Tombstones for a person and all their pictures in `seen`, and these pictures.

    The pictures have tombstones of their own because another source may not say who is on them.
    The tombstones are for `task`, or for all tasks if it is "".
    """
    wanted = person_hash(person)
    seen = [each for each in seen if task in ("", each.task)]
    names = {name for name in {each.photo.person for each in seen} if person_hash(name) == wanted}
    hit = [each for each in seen if each.photo.person in names]
    return [Tombstone(task, "person", wanted, ""), *_tombstones(hit, task)], hit


def forget_picture(sha256: str, seen: list[Seen], task: str) -> tuple[list[Tombstone], list[Seen]]:
    """Tombstones for a picture, and where it is in `seen`; `task` as in `forget_person`.

    `sha256` may also be the id of a picture in `seen`. Raises `UserError` if it is neither.
    """
    sha256 = sha256.lower()
    seen = [each for each in seen if task in ("", each.task)]
    hit = [each for each in seen if sha256 in (each.photo.sha256, each.photo.id)]
    if hit:
        return _tombstones(hit, task), hit
    if not re.fullmatch("[0-9a-f]{64}", sha256):
        raise UserError(
            f"--sha256 {sha256}: neither 64 hexadecimal digits nor the id of a picture in a "
            f"{MANIFEST.path(Folders('<task>').raw)}"
        )
    return [Tombstone(task, "sha256", sha256, "")], []


def next_steps(hit: list[Seen], task: str, params: Params) -> str:
    """What people have to do now that the pictures in `hit` are forgotten."""
    tasks = sorted({each.task for each in hit}) or ([task] if task else list(params.tasks))
    sources = [f"\n       {_place(each, params)}" for each in hit]
    folders = [Folders(name) for name in tasks]
    scratch = [path for at in folders for path in (at.searches, at.cache("*"))]
    steps = NEXT_STEPS.format(
        file=FORGOTTEN.name,
        sources="".join(sources) or "none is known yet",
        scratch=" ".join(map(str, [DOWNLOADS, *scratch])),
        champions=" ".join(str(at.promote) for at in folders),
        models=", ".join(f"face-{name}" for name in tasks),
    )
    known = f"{len(hit)} known pictures in {', '.join(tasks)} are out from now on"
    return f"{FORGOTTEN.name}: {known}\n{steps}"


def main(task: str, *, person: str | None, sha256: str | None) -> None:
    root = Path()
    params = load()
    if task:
        params.task(task)  # refuses a name that params.yaml does not have
    known, seen = tombstones(root), _seen()
    if sha256 is not None:
        new, hit = forget_picture(sha256, seen, task)
    elif person and person.strip():
        new, hit = forget_person(person, seen, task)
    else:
        raise UserError("--person needs a name")
    FORGOTTEN.write(root, dict.fromkeys([*known, *new]))
    print(next_steps(hit, task, params))


def _seen() -> list[Seen]:
    """The photos in all manifests, also those of tasks that params.yaml no longer has."""
    folders = sorted(
        path for path in Folders("").raw.glob("[!.]*") if MANIFEST.path(path).is_file()
    )
    return [Seen(path.name, photo) for path in folders for photo in MANIFEST.read(path)]


def _tombstones(hit: list[Seen], task: str) -> list[Tombstone]:
    return [Tombstone(task, "sha256", each.photo.sha256, each.photo.phash) for each in hit]


def _place(seen: Seen, params: Params) -> str:
    """Where a photo came from: its file, or its source and name."""
    task, photo = seen
    if photo.source == "folder" and task in params.tasks:
        return str(params.tasks[task].collect.path / photo.name)
    return f"{photo.source}: {photo.name}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.collect.forget", description=__doc__)
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--sha256", help="of the picture's bytes, or its id in manifest.csv")
    who.add_argument("--person", help="the name that the sources give")
    parser.add_argument("task", nargs="?", default="", help="in this task only")
    options = parser.parse_args()
    enter(lambda: main(options.task, person=options.person, sha256=options.sha256))
