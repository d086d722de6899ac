"""data/splits/<task>: which part each photo is in, and which photos are one shot."""

from typing import Literal, get_args

from stages.records.record import Record
from stages.records.table_file import TableFile

Part = Literal["train", "val", "test", "wild"]
PARTS: tuple[Part, ...] = get_args(Part)
EXAMS = ("test", "wild")  # parts that nothing learns from


class Assignment(Record):
    """A photo in its part. Photos of one group are all in one part."""

    id: str
    label: str
    person: str  # "" where unknown
    group: str  # a person, or the copies of one shot: the smallest id among them
    part: Part
    value: float | None = None  # the photo's number, such as an exact age


class Removed(Record):
    """A photo that is in no part."""

    id: str
    reason: str


class Duplicate(Record):
    """Two photos that are one shot: saved again, resized, cropped, mirrored or recoloured."""

    a: str  # the smaller id
    b: str
    view: Literal["photo", "face"]  # "face": only the face crops agree
    mirrored: bool
    similarity: float  # up to 1


SPLITS = TableFile("splits.csv", Assignment)
REMOVED = TableFile("removed.csv", Removed)
DUPLICATES = TableFile("duplicates.csv", Duplicate)
