"""data/raw/<task>: verified photos, a row for each, and why others were refused."""

from pathlib import Path
from typing import Literal

from stages.records.record import Record
from stages.records.table_file import TableFile


class Photo(Record):
    """A photo file of images/<id>.<jpg, png or webp>."""

    id: str  # the first 16 digits of `sha256`
    sha256: str  # of the file's bytes as they were found, before metadata were taken out
    label: str  # its class
    person: str  # who is on it; "" where unknown
    source: str  # the kind of source: folder, synthetic, urls, commons, huggingface
    name: str  # unique within the source
    licence: str
    author: str
    width: int  # pixels
    height: int
    phash: str  # perceptual hash, 16 hexadecimal digits
    part: Literal["pool", "wild"]
    credit: str  # the line that the author wants to see
    page: str  # where it was found
    stripped: bool = False  # metadata were taken out of the file
    value: float | None = None  # its number, such as an exact age
    columns: dict[str, str] = {}  # what else the sources said


class Rejected(Record):
    """A file that a source offered and that was not taken."""

    name: str
    label: str
    reason: str
    source: str
    licence: str
    page: str


class Truth(Record):
    """The face's box in a drawn photo, in pixels."""

    id: str
    x: int
    y: int
    w: int
    h: int


MANIFEST = TableFile("manifest.csv", Photo, others="columns")
REJECTED = TableFile("rejected.csv", Rejected)
TRUTH = TableFile("truth/truth.csv", Truth)


def masks(folder: Path) -> Path:
    """Where `data/raw` has <id>.png for each drawn photo: grey, 255 = person."""
    return folder / "truth/masks"
