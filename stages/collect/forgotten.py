"""Who must not come back: the tombstones in forgotten.csv.

The file is in git and therefore holds only hashes. A tombstone of a picture has the sha256 of its
bytes, and a fingerprint that also knows its copies. A tombstone of a person has a slow hash of the
name that a source gives. No face is described: the numbers that know a person's other photos are
biometric data, the last thing to keep of somebody who wants to be forgotten.
"""

import hashlib
import unicodedata
from functools import cache
from pathlib import Path

import numpy as np

from stages.collect.fingerprint import copies, signs
from stages.common.errors import UserError
from stages.records.forgotten import FORGOTTEN, Tombstone

REASON = "forgotten on request"
NEAR = 4  # bits by which the perceptual hash of a copy may differ


@cache
def person_hash(person: str) -> str:
    """The hash of a name; letter case does not matter.

    scrypt takes some milliseconds, which makes it expensive to try a list of names. It cannot keep
    somebody who tries the right name from confirming it.
    """
    name = unicodedata.normalize("NFKC", person).strip().casefold().encode()
    return hashlib.scrypt(name, salt=b"face-automl forgotten person", n=2**10, r=8, p=1).hex()


def tombstones(root: Path) -> list[Tombstone]:
    """The tombstones in the folder `root`.

    Raises `UserError` if the file is missing or damaged: without it, people would come back.
    """
    try:
        return FORGOTTEN.read(root)
    except UserError as error:
        path = FORGOTTEN.path(root)
        raise UserError(
            f"cannot read {path}: {error.__cause__}; restore it (`git checkout {path}`), because it"
            " says whose photos must not be used"
        ) from error


class Forgotten:
    """The tombstones in the folder `root` that count for one task."""

    def __init__(self, root: Path, task: str) -> None:
        mine = [each for each in tombstones(root) if each.task in ("", task)]
        self.sha256s = frozenset(each.hash for each in mine if each.kind == "sha256")
        self._people = frozenset(each.hash for each in mine if each.kind == "person")
        known = sorted({each.phash for each in mine})
        self._phashes = np.array([int(each, 16) for each in known if len(each) == 16], np.uint64)
        whole = [signs(each) for each in known if len(each) == 64]
        self._signs = np.array(whole, np.float32).reshape(-1, 255)

    def person(self, person: str) -> bool:
        return bool(self._people and person and person_hash(person) in self._people)

    def picture(self, sha256: str, phash: str, image: np.ndarray) -> bool:
        """Whether a picture, (H, W, 3) `uint8` RGB, is forgotten or a copy of one that is."""
        if sha256 in self.sha256s:
            return True
        different = np.bitwise_count(self._phashes ^ np.uint64(int(phash, 16)))
        if (different <= NEAR).any():
            return True
        return len(self._signs) > 0 and copies(image, self._signs)
