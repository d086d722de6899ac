"""judged.json: which networks each test part has judged.

A test part is known by its photos and labels, so new code, parameters and crops do not restart its
count; new photos do. A network that is judged again is no new candidate.
"""

import hashlib

import pandas as pd
from msgspec.structs import replace

from stages.promote.luck import allowed
from stages.records.promotion import Candidate, Judged

ByTest = dict[str, list[Candidate]]  # digest of a test part -> its candidates, in order


def digest(splits: pd.DataFrame) -> str:
    """Of the ids and labels of the test part of splits.csv, in any order."""
    test = splits[splits["part"] == "test"]
    rows = sorted(zip(test["id"], test["label"], strict=True))
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def count(judged: ByTest, test: str, network: str, level: float) -> Judged:
    """How many networks the test part `test` (a digest) has judged, `network` (a sha256) included,
    and how much luck that one may have. If it is judged again, it may have as much as before."""
    candidates = judged.get(test, [])
    networks = [each.network for each in candidates]
    number = networks.index(network) + 1 if network in networks else len(networks) + 1
    first = number
    while first > 1 and candidates[first - 2].promoted:
        first -= 1
    return Judged(test[:12], max(len(networks), number), allowed(level, number, first))


def added(judged: ByTest, test: str, new: Candidate) -> ByTest:
    """With `new` among those that `test` has judged: at the end, or where it has been."""
    candidates = judged.get(test, [])
    if all(each.network != new.network for each in candidates):
        return judged | {test: [*candidates, new]}
    again = [
        replace(each, promoted=new.promoted) if each.network == new.network else each
        for each in candidates
    ]
    return judged | {test: again}
