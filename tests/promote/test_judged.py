import pandas as pd
import pytest

from stages.promote.judged import count, digest


def splits(*rows):
    return pd.DataFrame(rows, columns=["id", "label", "part", "group"])


A, B = ("a", "cool", "test", "1"), ("b", "warm", "test", "2")


def test_a_test_part_is_known_by_its_photos_and_labels():
    known = digest(splits(A, B))
    assert known == digest(splits(B, A))
    assert known == digest(splits(A, B, ("c", "warm", "train", "3")))
    assert known == digest(splits(A, ("b", "warm", "test", "another")))
    assert known != digest(splits(A))
    assert known != digest(splits(A, ("b", "cool", "test", "2")))


def test_each_test_part_counts_different_networks():
    judged, here, there = {}, splits(A, B), splits(A)
    counted = []
    for test, network in [(here, "x"), (here, "y"), (here, "x"), (there, "x"), (here, "z")]:
        now, judged = count(judged, test, network, 0.9)
        counted.append((now.candidates, now.luck))
    numbers, shares = zip(*counted, strict=True)
    assert numbers == (1, 2, 2, 1, 3)
    assert shares == pytest.approx((0.1 / 2, 0.1 / 6, 0.1 / 6, 0.1 / 2, 0.1 / 12))
    assert judged == {digest(here): ["x", "y", "z"], digest(there): ["x"]}
