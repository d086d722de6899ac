"""Photos as a promoted network sees them."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from stages.networks.part import Part, load_part
from stages.records.chain import CHAIN
from stages.records.folders import Folders, photos
from stages.records.shards import InMemory
from stages.records.splits import SPLITS


def photos_as_seen(at: Folders, name: Literal["test", "val"], champion: Path) -> Part:
    """The photos of a part: its shards, or what the chain makes of the originals where the present
    parameters ask for pictures of another size. Then photos without a face are left out."""
    part = load_part(at, name, SPLITS.frame(at.splits))
    shape = CHAIN.read(champion).augment.shape
    if part.pictures.shape[1:] == shape:
        return part
    from app.chain import Chain, Seen
    from stages.common.images import decode

    chain, files = Chain(champion), photos(at.raw)
    rows, pictures = [], []
    for row, id in enumerate(part.ids):
        seen = Seen(decode(files[id].read_bytes()))
        if chain.faces(seen):
            rows.append(row)
            pictures.append(chain.view(seen, chain.choose(seen)).picture)
    return replace(
        part,
        pictures=InMemory(np.stack(pictures) if rows else np.empty((0, *shape), np.uint8)),
        labels=part.labels[rows],
        ids=[part.ids[row] for row in rows],
        groups=part.groups[rows],
        values=part.values[rows],
    )
