"""judged.json: which networks each test part has judged.

A test part is known by its photos and labels, so new code, parameters and crops do not restart its
count; new photos do. A network that is judged again is no new candidate.
"""

import hashlib

import pandas as pd

from stages.promote.luck import allowed
from stages.records.promotion import Judged

ByTest = dict[str, list[str]]  # digest of a test part -> sha256 of each network, in order


def digest(splits: pd.DataFrame) -> str:
    """Of the ids and labels of the test part of splits.csv, in any order."""
    test = splits[splits["part"] == "test"]
    rows = sorted(zip(test["id"], test["label"], strict=True))
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def count(
    judged: ByTest, splits: pd.DataFrame, network: str, level: float
) -> tuple[Judged, ByTest]:
    """How many networks the test part of `splits` has judged, `network` (a sha256) included; and
    `judged` with it."""
    test = digest(splits)
    networks = judged.get(test, [])
    if network not in networks:
        networks = [*networks, network]
    now = Judged(test[:12], len(networks), allowed(level, len(networks)))
    return now, judged | {test: networks}
