"""Photos of one shot or of one person, and labels that may be wrong: for people to look at."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.records.folders import Folders, picture
from stages.records.manifest import Photo
from stages.records.splits import DUPLICATES, SPLITS, Assignment
from stages.records.suspects import SUSPECTS, Suspect
from stages.report.pictures import png

CLUSTERS = 12  # shown of those under one label, and of those under several
PHOTOS = 8  # shown of each
SUSPECTED = 24  # shown


@dataclass(frozen=True)
class Shown:
    photo: Photo
    picture: str  # the face crop, a `data:` URI


@dataclass(frozen=True)
class Cluster:
    """Photos that are one shot, or of one person."""

    shown: list[Shown]
    more: int  # photos beyond those


@dataclass(frozen=True)
class Clusters:
    count: int
    photos: int  # in all of them
    clusters: list[Cluster]  # the largest


@dataclass(frozen=True)
class Suspected:
    shown: Shown
    suspect: Suspect


@dataclass(frozen=True)
class Duplicates:
    conflicts: Clusters  # under several labels
    copies: Clusters  # under one label
    alike: Clusters  # of one person, as far as faces tell: neither a name nor a shot says so
    suspects: int  # labels in doubt
    suspected: list[Suspected]  # the least likely labels
    agree: float  # share of all labels that the classifier would give too


def duplicates(at: Folders, manifest: Sequence[Photo]) -> Duplicates:
    photos = {photo.id: photo for photo in manifest}
    found = clusters([(pair.a, pair.b) for pair in DUPLICATES.read(at.splits)])
    several = [len({photos[id].label for id in ids}) > 1 for ids in found]
    doubted = SUSPECTS.read(at.suspects)
    suspects = [row for row in doubted if row.suspect]

    def shown(id: str) -> Shown:
        return Shown(photos[id], png(picture(at.faces, id), 112))

    def some(of_kind: Sequence[list[str]]) -> Clusters:
        return Clusters(
            count=len(of_kind),
            photos=sum(map(len, of_kind)),
            clusters=[
                Cluster(list(map(shown, ids[:PHOTOS])), max(0, len(ids) - PHOTOS))
                for ids in of_kind[:CLUSTERS]
            ],
        )

    return Duplicates(
        conflicts=some([ids for ids, many in zip(found, several, strict=True) if many]),
        copies=some([ids for ids, many in zip(found, several, strict=True) if not many]),
        alike=some(alike(SPLITS.read(at.splits))),
        suspects=len(suspects),
        suspected=[Suspected(shown(row.id), row) for row in suspects[:SUSPECTED]],
        agree=float(np.mean([row.label == row.likely for row in doubted])),
    )


def alike(rows: Sequence[Assignment]) -> list[list[str]]:
    """Ids of each group that faces have joined, the largest first."""
    owner = {row.shot: row.person for row in rows if row.person}
    groups = defaultdict(list)
    for row in rows:
        groups[row.group].append(row)
    joined = []
    for group in groups.values():
        names = {owner.get(row.shot) for row in group}  # None: in no shot of a known person
        shots = {row.shot for row in group if row.shot not in owner}
        if shots and len(shots) + len(names - {None}) > 1:
            joined.append([row.id for row in group])
    return sorted(joined, key=lambda group: (-len(group), group))


def clusters(pairs: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Ids that `pairs` connect, the largest cluster first."""
    ids = sorted({id for pair in pairs for id in pair})
    row = {id: number for number, id in enumerate(ids)}
    links = ([row[a] for a, _ in pairs], [row[b] for _, b in pairs])
    graph = coo_array((np.ones(len(pairs)), links), shape=(len(ids), len(ids)))
    found = defaultdict(list)
    for id, component in zip(ids, connected_components(graph, directed=False)[1], strict=True):
        found[component].append(id)
    return sorted(found.values(), key=lambda group: (-len(group), group))
