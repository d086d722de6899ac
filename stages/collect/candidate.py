"""What a source offers, and the check that every photo passes before it is used."""

import hashlib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from stages.collect.forgotten import REASON, Forgotten
from stages.collect.metadata import stripped
from stages.collect.phash import phash
from stages.common.images import MAX_BYTES, BadImage, decode, extension, write_png
from stages.records.folders import pictures
from stages.records.manifest import Photo, Rejected, Truth, masks

NOT_STATED = "not stated"  # the licence, if the source names none
Bins = Mapping[str, tuple[float, float]]  # class: first and last number


class Picture(NamedTuple):
    """The bytes of a photo's file. Of a drawn photo, the truth is known as well."""

    data: bytes
    box: tuple[int, int, int, int] | None = None  # the face's x, y, width and height in pixels
    mask: np.ndarray | None = None  # (H, W) uint8, 255 = person


@dataclass(frozen=True)
class Context:
    """What a source needs to know besides its own section of params.yaml."""

    root: Path  # collect.path
    classes: list[str]
    key: str  # the section in params.yaml, for messages
    downloads: Path  # the folder for downloaded files
    forgotten: Forgotten
    bins: Bins | None = None
    lists: frozenset[Path] = frozenset()  # files below `root` that other sources read: no photos


@dataclass(frozen=True, slots=True)  # without slots, twice the memory
class Candidate:
    """A file that a source offers, before anybody has opened it. It must pickle."""

    name: str  # unique within the source
    label: str
    person: str  # "" where unknown
    part: Literal["pool", "wild"]
    source: str
    load: Callable[[], Picture] | None = None  # runs in a worker process; raises BadImage
    licence: str = ""
    author: str = ""
    credit: str = ""  # the line that the author wants to see
    page: str = ""  # where it was found
    reason: str = ""  # why the file is refused
    columns: dict[str, str] = field(default_factory=dict)  # what else the source knows
    value: float | None = None  # the photo's number, such as an exact age


@dataclass(frozen=True, slots=True)
class Checked:
    """A candidate after the check, without `load`: with its photo, or with the reason why there is
    none."""

    candidate: Candidate
    photo: Photo | None = None
    truth: Truth | None = None

    def refused(self, reason: str) -> "Checked":
        return Checked(replace(self.candidate, reason=reason))

    def row(self) -> Rejected:
        """The row in the table of refused files."""
        c = self.candidate
        return Rejected(c.name, c.label, c.reason, c.source, c.licence or NOT_STATED, c.page)


def check(
    candidate: Candidate,
    out: Path,
    *,
    keep_metadata: bool = False,
    forgotten: Forgotten | None = None,
) -> Checked:
    """Load one photo, make sure that it can be decoded, and write its bytes to the folder `out`.

    They are written without metadata, unless `keep_metadata`. The id is made from the bytes as they
    were found: so whoever has the file can name it, and it stays the same photo whatever is
    stripped. A drawn photo's mask is written as well. Nothing is written for a file that is
    refused.
    """
    load, candidate = candidate.load, replace(candidate, load=None)
    if candidate.reason or load is None:
        return Checked(candidate)
    try:
        picture = load()
        image = decode(picture.data)
        data = picture.data if keep_metadata else stripped(picture.data)
        if data != picture.data:  # of damaged files, some can be read only as they are
            image = decode(data)
    except BadImage as error:
        return Checked(candidate).refused(plain(str(error)))
    sha256 = hashlib.sha256(picture.data).hexdigest()
    photo = Photo(
        id=sha256[:16],
        sha256=sha256,
        label=candidate.label,
        person=candidate.person,
        source=candidate.source,
        name=candidate.name,
        licence=candidate.licence or NOT_STATED,
        author=candidate.author,
        width=image.shape[1],
        height=image.shape[0],
        phash=phash(image),
        part=candidate.part,
        credit=candidate.credit,
        page=candidate.page,
        value=candidate.value,
        stripped=data != picture.data,
        columns=candidate.columns,
    )
    if forgotten and forgotten.picture(sha256, photo.phash, image):
        return Checked(candidate).refused(REASON)
    (pictures(out) / f"{photo.id}.{extension(data)}").write_bytes(data)
    if picture.box is None or picture.mask is None:
        return Checked(candidate, photo)
    write_png(masks(out) / f"{photo.id}.png", picture.mask)
    return Checked(candidate, photo, Truth(photo.id, *picture.box))


def read(path: Path) -> Picture:
    """A file's bytes. Raises `BadImage` if it cannot be read or is larger than `MAX_BYTES`."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise BadImage(f"{size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read")
        return Picture(path.read_bytes())
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror}") from error


def plain(text: str) -> str:
    """Text from outside as one line of valid Unicode (NFC) without control characters."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    return " ".join("".join(c if unicodedata.category(c) != "Cc" else " " for c in text).split())
