"""forgotten.csv, in the checkout's root and in git: hashes of who must not come back."""

from typing import Literal

from stages.records.record import Record
from stages.records.table_file import TableFile


class Tombstone(Record):
    task: str  # "": all tasks
    kind: Literal["sha256", "person"]
    hash: str  # sha256 of the picture's bytes, or scrypt of the person's name
    phash: str  # the picture's perceptual hash; "" for a person


FORGOTTEN = TableFile("forgotten.csv", Tombstone)
