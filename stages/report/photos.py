"""What became of the photos: how many came through each step, and why the others did not."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from stages.records.faces import FACES, Crop
from stages.records.flags import CUTOUT_FLAGS, FACE_FLAGS, WORDS
from stages.records.folders import Folders
from stages.records.manifest import MANIFEST, REJECTED, Photo, Rejected
from stages.records.mattes import MATTES, Cutout
from stages.records.splits import PARTS, REMOVED, SPLITS, Assignment, Removed

NAMES = 20  # shown of those set aside for one reason
REASONS = 20  # shown
VARIABLE = re.compile(r":| \(| as ")  # what differs from photo to photo begins here


@dataclass(frozen=True)
class Tables:
    manifest: list[Photo]
    rejected: list[Rejected]
    faces: list[Crop]
    mattes: list[Cutout]
    splits: list[Assignment]
    removed: list[Removed]


def read_tables(at: Folders) -> Tables:
    return Tables(
        manifest=MANIFEST.read(at.raw),
        rejected=REJECTED.read(at.raw),
        faces=FACES.read(at.faces),
        mattes=MATTES.read(at.mattes),
        splits=SPLITS.read(at.splits),
        removed=REMOVED.read(at.splits),
    )


@dataclass(frozen=True)
class Part:
    name: str
    photos: int
    people: int  # that are known
    groups: int


@dataclass(frozen=True)
class Funnel:
    """How many photos were there after each step."""

    offered: int
    steps: dict[str, int]
    parts: list[Part]
    used: int


def funnel(tables: Tables) -> Funnel:
    offered = len(tables.manifest) + len(tables.rejected)
    steps = {
        "Photos in": offered,
        "Readable, unique": len(tables.manifest),
        "Face found": sum(row.kept for row in tables.faces),
        "Cut out": sum(row.kept for row in tables.mattes),
    }
    parts = [_part(name, [s for s in tables.splits if s.part == name]) for name in PARTS]
    return Funnel(offered, steps, parts, used=len(tables.splits))


def _part(name: str, rows: list[Assignment]) -> Part:
    people = {row.person for row in rows if row.person}
    return Part(name, len(rows), len(people), len({row.group for row in rows}))


@dataclass(frozen=True)
class Dropped:
    name: str  # the photo's
    reason: str


@dataclass(frozen=True)
class Aside:
    """Photos that one step dropped for one kind of reason."""

    step: str
    reason: str
    count: int
    names: list[Dropped]  # the first of them


def set_aside(tables: Tables) -> list[Aside]:
    """The most frequent kind first.

    A kind is a reason without what differs from photo to photo ("same picture as a.jpg").
    """
    name = {photo.id: photo.name for photo in tables.manifest}
    dropped = [("collect", Dropped(row.name, row.reason)) for row in tables.rejected]
    for step, rows in (
        ("extract", [row for row in tables.faces if not row.kept]),
        ("matte", [row for row in tables.mattes if not row.kept]),
        ("split", tables.removed),
    ):
        dropped += [(step, Dropped(name[row.id], row.reason)) for row in rows]
    kinds = defaultdict(list)
    for step, one in dropped:
        kinds[step, VARIABLE.split(one.reason, maxsplit=1)[0]].append(one)
    found = [Aside(step, kind, len(all), all[:NAMES]) for (step, kind), all in kinds.items()]
    return sorted(found, key=lambda row: -row.count)


@dataclass(frozen=True)
class Flagged:
    """Photos that look odd in one way."""

    flag: str
    about: str
    step: str  # the folder of the pictures that show it
    ids: list[str]


def flagged(tables: Tables) -> list[Flagged]:
    flags = [(flag, "faces", tables.faces) for flag in FACE_FLAGS]
    flags += [(flag, "mattes", tables.mattes) for flag in CUTOUT_FLAGS]
    found = [
        Flagged(flag, WORDS[flag], step, sorted(row.id for row in rows if flag in row.flags))
        for flag, step, rows in flags
    ]
    return [row for row in found if row.ids]


def class_counts(splits: Iterable[Assignment], classes: Iterable[str]) -> dict[str, list[int]]:
    """Photos of each class in train, val, test and wild."""
    counts = Counter((row.label, row.part) for row in splits)
    return {name: [counts[name, part] for part in PARTS] for name in classes}
