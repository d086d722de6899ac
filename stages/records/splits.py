"""data/splits/<task>: which part each photo is in, and which photos are one shot."""

from typing import Literal, get_args

from stages.records.record import Record
from stages.records.table_file import TableFile

Part = Literal["train", "val", "test", "wild"]
PARTS: tuple[Part, ...] = get_args(Part)
EXAMS = ("test", "wild")  # parts that nothing learns from
Together = Literal["person", "shot"]  # what is never in two parts, see `split.keep_together`


class Assignment(Record):
    """A photo in its part.

    Photos of one shot are all in one part, and photos of one group too, unless
    `split.keep_together` is `shot`. Photos of one group are answered alike, so statistics count
    groups, whatever was kept together.
    """

    id: str
    label: str
    person: str  # "" where unknown
    group: str  # a person, or the copies of one shot: the smallest id among them
    shot: str  # its near-duplicates: the smallest id among them
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


Shows = Literal[  # what the photos of test are, to a network that was trained on train
    "people never seen",
    "people never seen, as far as their faces tell",
    "photos kept out of training; who is on them is not known",
    "other photos of people it may know",
]


def kept_together(together: Together) -> Literal["group", "shot"]:
    """The column of splits.csv whose photos are all in one part."""
    return "group" if together == "person" else "shot"


SPLITS = TableFile("splits.csv", Assignment)
REMOVED = TableFile("removed.csv", Removed)
DUPLICATES = TableFile("duplicates.csv", Duplicate)
