"""forgotten.csv, in the checkout's root and in git: hashes of who must not come back."""

from typing import Literal

from stages.records.record import Record
from stages.records.table_file import TableFile


class Tombstone(Record):
    task: str  # "": all tasks
    kind: Literal["sha256", "person"]
    hash: str  # sha256 of the picture's bytes, or scrypt of the person's name
    # 64 digits: the picture's fingerprint, by which its copies are known; 16: only its perceptual
    # hash was known; "": a person, or a picture that nobody has seen
    phash: str


FORGOTTEN = TableFile("forgotten.csv", Tombstone)
