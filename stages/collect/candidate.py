"""One photo on its way in: what every source hands over, and the one way it is checked."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.collect.phash import phash
from stages.common.images import BadImage, decode, extension, write_png


class Picture(NamedTuple):
    """A photo file's bytes, and the truth where it is known (drawn photos)."""

    data: bytes
    box: tuple[int, int, int, int] | None = None  # the face's x, y, w, h in pixels
    mask: np.ndarray | None = None  # (H, W) uint8, 255 = person


@dataclass(frozen=True)
class Candidate:
    """What a source says of one photo before anybody has opened it. Must pickle."""

    name: str  # unique within the source
    label: str
    person: str  # "" where unknown
    part: str  # pool or wild
    source: str
    load: Callable[[], Picture]  # called in a worker; raises BadImage where there is nothing to get
    licence: str = ""
    author: str = ""


def check(candidate: Candidate, out: Path) -> dict:
    """Load and verify one photo, and write its bytes to `out/images/<id>.<ext>`.

    Returns a row of the manifest; where the photo is refused, its `reason` is not empty, nothing
    is written and what only an opened photo has (id, width, ...) is missing. A drawn photo's mask
    goes to `out/truth/masks/<id>.png`, its box into the row.
    """
    row = {k: getattr(candidate, k) for k in ("name", "label", "person", "part", "source")}
    row |= {"licence": candidate.licence, "author": candidate.author, "reason": ""}
    try:
        picture = candidate.load()
        image = decode(picture.data)
    except BadImage as error:
        return row | {"reason": str(error)}
    sha256 = hashlib.sha256(picture.data).hexdigest()
    row |= {"id": sha256[:16], "sha256": sha256, "phash": phash(image)}
    row |= {"height": image.shape[0], "width": image.shape[1]}
    (out / "images" / f"{row['id']}.{extension(picture.data)}").write_bytes(picture.data)
    if picture.mask is not None:
        write_png(out / "truth/masks" / f"{row['id']}.png", picture.mask)
        row |= dict(zip("xywh", picture.box, strict=True))
    return row
