"""Where the photos come from: counts by source and licence, whom to name, and what was refused."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stages.records.manifest import Photo, Rejected

REASONS = 5  # shown of each source, the most frequent first


@dataclass(frozen=True)
class Source:
    name: str
    kept: int  # photos
    licences: dict[str, int]  # photos of each, the most frequent first
    stripped: int  # photos whose files held metadata, which were taken out
    refused: int
    reasons: dict[str, int]


@dataclass(frozen=True)
class Credit:
    """Photos of one author under one licence, with the pages where they were found."""

    author: str
    licence: str
    credit: str
    source: str
    photos: int
    pages: list[Photo]


@dataclass(frozen=True)
class Provenance:
    sources: list[Source]
    credits: list[Credit]


def provenance(manifest: Sequence[Photo], rejected: Sequence[Rejected]) -> Provenance:
    return Provenance(
        sources=[
            _source(
                name,
                [photo for photo in manifest if photo.source == name],
                [row for row in rejected if row.source == name],
            )
            for name in sorted({row.source for row in (*manifest, *rejected)})
        ],
        credits=_credits(manifest),
    )


def _source(name: str, kept: Sequence[Photo], refused: Sequence[Rejected]) -> Source:
    licences = Counter(photo.licence for photo in kept)
    reasons = Counter(_kind(row.reason) for row in refused)
    return Source(
        name,
        kept=len(kept),
        licences=dict(licences.most_common()),
        stripped=sum(photo.stripped for photo in kept),
        refused=len(refused),
        reasons=dict(reasons.most_common(REASONS)),
    )


def _credits(manifest: Iterable[Photo]) -> list[Credit]:
    groups: dict[tuple[str, str, str, str], list[Photo]] = defaultdict(list)
    for photo in sorted(manifest, key=lambda photo: photo.name):
        groups[photo.author, photo.licence, photo.credit, photo.source].append(photo)
    return [
        # Pages on the web alone: no link that runs something when it is clicked.
        Credit(*key, len(rows), [p for p in rows if p.page.startswith(("https://", "http://"))])
        for key, rows in sorted(groups.items())
    ]


def _kind(reason: str) -> str:
    """The reason without what differs from photo to photo; a licence not allowed is named."""
    kind = re.sub(r"^same picture .*", "same picture as another", reason)
    return re.sub(r" \(.*", "", kind)
