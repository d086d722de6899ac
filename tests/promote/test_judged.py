import numpy as np
import pandas as pd
import pytest

from stages.promote.judged import added, count, digest
from stages.records.promotion import Candidate


def splits(*rows):
    return pd.DataFrame(rows, columns=["id", "label", "part", "group"])


A, B = ("a", "cool", "test", "1"), ("b", "warm", "test", "2")


def test_a_test_part_is_known_by_its_photos_and_labels():
    known = digest(splits(A, B))
    assert known == digest(splits(B, A))
    for part in ("train", "val", "wild", ""):
        assert known == digest(splits(A, B, ("c", "warm", part, "3")))
    assert known == digest(splits(A, ("b", "warm", "test", "another")))
    assert known != digest(splits(A))
    assert known != digest(splits(A, ("b", "cool", "test", "2")))


def judge(judged, test, network, promoted):
    """How many, the luck by 1 - level, and what is known then."""
    now = count(judged, test, network, 0.9)
    return (now.candidates, now.luck / 0.1), added(judged, test, Candidate(network, promoted))


def test_each_test_part_counts_different_networks():
    judged, counted = {}, []
    for test, network in [("t", "x"), ("t", "y"), ("t", "x"), ("u", "x"), ("t", "z")]:
        found, judged = judge(judged, test, network, False)
        counted.append(found)
    numbers, shares = zip(*counted, strict=True)
    assert numbers == (1, 2, 2, 1, 3)
    assert shares == pytest.approx((1 / 2, 1 / 6, 1 / 2, 1 / 2, 1 / 12))
    known = {test: [each.network for each in networks] for test, networks in judged.items()}
    assert known == {"t": ["x", "y", "z"], "u": ["x"]}


def test_what_a_promoted_candidate_had_goes_to_the_next():
    judged, shares = {}, []
    for network, promoted in [("a", True), ("b", True), ("c", False), ("d", False), ("e", True)]:
        for _ in range(2):  # the second time, nothing has changed
            (_, share), judged = judge(judged, "t", network, promoted)
            shares.append(share)
    expected = (1 / 2, 1 / 2 + 1 / 6, 1 / 2 + 1 / 6 + 1 / 12, 1 / 20, 1 / 30)
    assert shares == pytest.approx(np.repeat(expected, 2))
    assert [each.promoted for each in judged["t"]] == [True, True, False, False, True]


def test_a_candidate_that_is_judged_again_has_the_last_decision():
    judged = added(added({}, "t", Candidate("a", False)), "t", Candidate("b", False))
    again = added(judged, "t", Candidate("a", True))
    assert again == {"t": [Candidate("a", True), Candidate("b", False)]}
