"""Who must not come back: forgotten.csv, which is committed and therefore holds nothing but hashes.

A row is one picture (`sha256` of its bytes, and its perceptual hash, so that a re-encoded copy is
known again) or one `person` (a slow hash of the name that collect.sources tell). `task` is empty
where the row stands for all tasks.
"""

import hashlib
import unicodedata
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.errors import UserError
from stages.common.tables import read_table

FILE = Path("forgotten.csv")
COLUMNS = ["task", "kind", "hash", "phash"]
REASON = "forgotten on request"
NEAR = 4  # bits in which the perceptual hash of a copy may differ


@cache
def person_hash(person: str) -> str:
    """Letter case does not matter. scrypt (some ms) makes trying lists of names expensive; who is
    asked about can still be found out by somebody who tries the right name."""
    name = unicodedata.normalize("NFKC", person).strip().casefold().encode()
    return hashlib.scrypt(name, salt=b"face-automl forgotten person", n=2**10, r=8, p=1).hex()


class Forgotten:
    """The tombstones of one task. Raises `UserError` for a file that is missing or damaged: to go
    on without it would bring people back."""

    def __init__(self, path: Path, task: str) -> None:
        try:
            table = read_table(path)
        except (OSError, ValueError) as error:
            raise UserError(
                f"cannot read {path}: {error}; restore it (`git checkout {path}`), for it says who "
                f"must not be used"
            ) from error
        if list(table.columns) != COLUMNS or not table.kind.isin(["sha256", "person"]).all():
            raise UserError(f"{path}: needs the columns {', '.join(COLUMNS)}; restore it from git")
        table = table[table.task.isin(["", task])]
        self.people = frozenset(table.hash[table.kind == "person"])
        self.sha256s = frozenset(table.hash[table.kind == "sha256"])
        self.phashes = np.array([int(h, 16) for h in set(table.phash) - {""}], np.uint64)

    def person(self, person: str) -> bool:
        return bool(self.people and person and person_hash(person) in self.people)

    def pictures(self, table: pd.DataFrame) -> pd.Series:
        """Which rows of `table` (sha256, phash; "" where unknown) are forgotten or near copies."""
        hit = table.sha256.isin(self.sha256s)
        known = table.index[table.phash != ""]
        hashes = np.array([int(h, 16) for h in table.phash[known]], np.uint64)
        for phash in self.phashes:
            hit[known[np.bitwise_count(hashes ^ phash) <= NEAR]] = True
        return hit
