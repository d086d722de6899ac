"""python -m stages.collect.forget --person NAME | --sha256 HASH [TASK]

Take a person or a picture out for good: writes tombstones to forgotten.csv, which `collect` reads.
The next `dvc repro` builds everything without them, and no source can bring them back.
"""

import argparse
import logging
import re
import shutil
from collections import defaultdict
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

from stages.collect.collect import FEWEST
from stages.collect.downloads import DOWNLOADS
from stages.collect.fingerprint import fingerprint
from stages.collect.forgotten import person_hash, tombstones
from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.images import BadImage, decode
from stages.params.merge import load
from stages.records.folders import INDEX, Folders, photos, pictures
from stages.records.forgotten import FORGOTTEN, Tombstone
from stages.records.manifest import MANIFEST, Photo
from stages.records.params import Params
from stages.records.splits import DUPLICATES, SPLITS, kept_together

NEXT_STEPS = """
Commit {file}. What to do next, in this order:
  1. Delete the pictures from the sources: {sources}
  2. dvc repro                   builds everything without them
What older builds still hold, and how to purge it once 2. is done:
  3. rm -rf {scratch}
                                 scratch: downloads, faces, numbers that describe them, cut-outs,
                                 half-done and earlier searches
  4. rm -r {champions}; dvc repro
                                 the champion was trained on them: have a new one chosen; if it was
                                 exported, `make export` or `make site` replaces it
  5. dvc gc --workspace          the cache: all that the present outputs do not need, older
                                 versions of everything included
     rm -rf {site_cache}
                                 DVC's notes outside of the project: the names of all files
     dvc gc --workspace --cloud --remote NAME     the same for each remote (`dvc remote list`)
  6. rm -rf mlruns; dvc repro    MLflow's local store is filled anew from the outputs; on a
                                 server: delete the older runs and model versions of
                                 {models}, then `mlflow gc`
Others who cloned the project do 2. to 6., too. Git holds no photos, but paths in an older
params.yaml or list may contain a name.
"""
KEPT = ("params", "weights", "raw", "promote")  # below data/, where too few photos remain

log = logging.getLogger(__name__)


class Seen(NamedTuple):
    """A photo that a task has collected."""

    task: str
    photo: Photo
    file: Path | None = None  # in data/raw
    shot: str = ""  # its copies have the same; "" where `split` has not seen it
    group: str = ""  # so have the photos of its person, by name or by face


def forget_person(person: str, seen: list[Seen], task: str) -> tuple[list[Tombstone], list[Seen]]:
    """Tombstones for a person and all their pictures in `seen`, and these pictures.

    Copies of them are theirs, too, and photos without a name that show their face, as far as
    `split` has found that out. The pictures have tombstones of their own because another source may
    not say who is on them.
    The tombstones are for `task`, or for all tasks if it is "".
    """
    wanted = person_hash(person)
    seen = [each for each in seen if task in ("", each.task)]
    names = {name for name in {each.photo.person for each in seen} if person_hash(name) == wanted}
    hit = [each for each in seen if each.photo.person in names]
    faces = {(each.task, each.group) for each in hit if each.group}
    hit += [s for s in seen if not s.photo.person and (s.task, s.group) in faces]
    hit = _with_copies(hit, seen)
    return [Tombstone(task, "person", wanted, ""), *_tombstones(hit, task)], hit


def forget_picture(sha256: str, seen: list[Seen], task: str) -> tuple[list[Tombstone], list[Seen]]:
    """Tombstones for a picture and its copies, and where they are in `seen`; `task` as in
    `forget_person`.

    `sha256` may also be the id of a picture in `seen`. Raises `UserError` if it is neither.
    """
    sha256 = sha256.lower()
    seen = [each for each in seen if task in ("", each.task)]
    hit = [each for each in seen if sha256 in (each.photo.sha256, each.photo.id)]
    if hit:
        hit = _with_copies(hit, seen)
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
        champions=" ".join(f"{at.promote}/*/" for at in folders),
        models=", ".join(f"face-{name}" for name in tasks),
        site_cache=_site_cache(),
    )
    known = f"{len(hit)} known pictures in {', '.join(tasks)} are out from now on"
    return f"{FORGOTTEN.name}: {known}\n{steps}"


def main(task: str, *, person: str | None, sha256: str | None) -> None:
    root = Path()
    params = load()
    if task:
        params.task(task)  # refuses a name that params.yaml does not have
    known, seen = tombstones(root), look()
    if sha256 is not None:
        new, hit = forget_picture(sha256, seen, task)
    elif person and person.strip():
        new, hit = forget_person(person, seen, task)
    else:
        raise UserError("--person needs a name")
    if not hit:
        log.warning("%s", _nobody(person, seen))
    FORGOTTEN.write(root, dict.fromkeys([*known, *new]))
    left = [each for each in seen if each not in hit]
    for name in sorted({each.task for each in hit} & set(params.tasks)):
        if few := too_few([each for each in left if each.task == name], name, params):
            removed = _remove_later_stages(name)
            log.warning("%s\nTherefore removed now: %s", few, ", ".join(map(str, removed)))
    print(next_steps(hit, task, params))


def look() -> list[Seen]:
    """The photos in all manifests, also those of tasks that params.yaml no longer has."""
    found = []
    for folder in sorted(Folders("").raw.glob("[!.]*")):
        if not MANIFEST.path(folder).is_file():
            continue
        at = Folders(folder.name)
        files = photos(folder) if pictures(folder).is_dir() else {}
        split = SPLITS.read(at.splits) if SPLITS.path(at.splits).is_file() else []
        group, shot = {row.id: row.group for row in split}, _shots(at)
        for photo in MANIFEST.read(folder):
            id = photo.id
            found.append(Seen(at.task, photo, files.get(id), shot.get(id, ""), group.get(id, "")))
    return found


def _shots(at: Folders) -> dict[str, str]:
    """id -> a name for its shot, of the photos that `split` found to have copies."""
    pairs = DUPLICATES.read(at.splits) if DUPLICATES.path(at.splits).is_file() else []
    shot: dict[str, str] = {}
    for pair in pairs:
        one, other = shot.setdefault(pair.a, pair.a), shot.setdefault(pair.b, pair.b)
        shot |= {id: one for id, name in shot.items() if name == other}
    return shot


def _with_copies(hit: list[Seen], seen: list[Seen]) -> list[Seen]:
    shots = {(each.task, each.shot) for each in hit if each.shot}
    return [each for each in seen if each in hit or (each.task, each.shot) in shots]


def too_few(left: list[Seen], task: str, params: Params) -> str:
    """Why the task cannot be built from the photos that are left; "" if it can."""
    wanted = params.tasks[task]
    people = kept_together(wanted.split.keep_together) == "group"
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for each in left:
        if each.photo.part == "pool":
            person = (each.group or each.photo.person) if people else ""
            groups[each.photo.label].add(person or each.shot or each.photo.id)
    return "\n".join(
        f"{task}: class {name!r} keeps photos of {len(groups[name])} persons or shots, and needs "
        f"{FEWEST}: `dvc repro` stops there until you add photos of other people"
        for name in wanted.classes
        if len(groups[name]) < FEWEST
    )


def _remove_later_stages(task: str) -> list[Path]:
    """What a `dvc repro` that stops at `collect` or `split` would leave: it shows the photos."""
    stages = sorted(path.name for path in Path("data").iterdir() if path.name not in KEPT)
    removed = [path for stage in stages if (path := Folders(task).data(stage)).is_dir()]
    for path in removed:
        shutil.rmtree(path)
    INDEX.unlink(missing_ok=True)
    return [*removed, INDEX]


def _nobody(person: str | None, seen: list[Seen]) -> str:
    if person is None:
        return "No photo in data/raw has this hash: only the very file is kept out, no copy of it"
    names = {each.photo.person.casefold(): each.photo.person for each in seen if each.photo.person}
    near = [names[each] for each in get_close_matches(person.strip().casefold(), names)]
    return (
        f"No photo in data/raw has the person {person.strip()!r}: photos of that name are kept out "
        "from now on, but none is known by its content. Is the name the one in manifest.csv?"
        + (f" Like it: {', '.join(map(repr, near))}" if near else "")
    )


def _site_cache() -> str:
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        return str(Repo().site_cache_dir)
    except DvcException:  # no repository of DVC, or one that it cannot open
        return "/var/tmp/dvc"


def _tombstones(hit: list[Seen], task: str) -> list[Tombstone]:
    return [Tombstone(task, "sha256", each.photo.sha256, _look(each)) for each in hit]


def _look(seen: Seen) -> str:
    """The photo's fingerprint, or its perceptual hash if its file is not there."""
    try:
        return fingerprint(decode(seen.file.read_bytes())) if seen.file else seen.photo.phash
    except (OSError, BadImage):
        return seen.photo.phash


def _place(seen: Seen, params: Params) -> str:
    """Where a photo came from: its file, or its source and name."""
    task, photo = seen.task, seen.photo
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
