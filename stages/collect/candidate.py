"""One photo on its way in: what every source hands over, and the one way it is checked."""

import hashlib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from stages.collect.forgotten import Forgotten
from stages.collect.phash import phash
from stages.common.images import MAX_BYTES, BadImage, decode, extension, write_png

NOT_STATED = "not stated"  # where a source says nothing of a licence


class Picture(NamedTuple):
    """A photo file's bytes, and the truth where it is known (drawn photos)."""

    data: bytes
    box: tuple[int, int, int, int] | None = None  # the face's x, y, w, h in pixels
    mask: np.ndarray | None = None  # (H, W) uint8, 255 = person


@dataclass(frozen=True)
class Context:
    """What a source may know besides its own section of params.yaml."""

    root: Path  # collect.path
    classes: list[str]
    key: str  # where the source's section stands, for messages
    downloads: Path  # scratch for what comes from the network
    forgotten: Forgotten
    lists: frozenset[Path] = frozenset()  # the sources' own files below `root`: no photos
    bins: Mapping[str, tuple[float, float]] | None = None  # class: first and last number


@dataclass(frozen=True)
class Candidate:
    """What a source says of one photo before anybody has opened it. Must pickle."""

    name: str  # unique within the source
    label: str
    person: str  # "" where unknown
    part: str  # pool or wild
    source: str
    load: Callable[[], Picture] | None = None  # called in a worker; raises BadImage
    licence: str = ""
    author: str = ""
    credit: str = ""  # the line that the author wants to see
    page: str = ""  # where it was found
    reason: str = ""  # why it is refused unopened
    columns: dict[str, str] = field(default_factory=dict)  # what else is known, as `value`


def check(candidate: Candidate, out: Path) -> dict:
    """Load and verify one photo, and write its bytes to `out/images/<id>.<ext>`.

    Returns a row of the manifest; where the photo is refused, its `reason` is not empty, nothing
    is written and what only an opened photo has (id, width, ...) is missing. A drawn photo's mask
    goes to `out/truth/masks/<id>.png`, its box into the row.
    """
    fields = ("name", "label", "person", "part", "source", "author", "credit", "page", "reason")
    row = candidate.columns | {name: getattr(candidate, name) for name in fields}
    row["licence"] = candidate.licence or NOT_STATED
    if candidate.reason:
        return row
    try:
        picture = candidate.load()
        image = decode(picture.data)
    except BadImage as error:
        return row | {"reason": plain(str(error))}
    sha256 = hashlib.sha256(picture.data).hexdigest()
    row |= {"id": sha256[:16], "sha256": sha256, "phash": phash(image)}
    row |= {"height": image.shape[0], "width": image.shape[1]}
    (out / "images" / f"{row['id']}.{extension(picture.data)}").write_bytes(picture.data)
    if picture.mask is not None:
        write_png(out / "truth/masks" / f"{row['id']}.png", picture.mask)
        row |= dict(zip("xywh", picture.box, strict=True))
    return row


def read(path: Path) -> Picture:
    """The file's bytes. Raises `BadImage` where they cannot be had, or are too many."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise BadImage(f"{size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read")
        return Picture(path.read_bytes())
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror}") from error


def plain(text: str) -> str:
    """A stranger's text as one line of valid Unicode (NFC), without control characters."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    return " ".join("".join(c if unicodedata.category(c) != "Cc" else " " for c in text).split())
