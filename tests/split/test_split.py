import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stages.common.errors import UserError
from stages.common.tables import read_table, write_table
from stages.split.groups import groups, near_duplicates
from stages.split.split import PARTS, deal, leaks, refuse_leaks, split

ROOT = Path(__file__).parents[2]
DISTANCE = 4


def photos(rows):
    """A table of (label, person, hash, part), hash an integer."""
    table = pd.DataFrame(rows, columns=["label", "person", "phash", "part"], dtype=object)
    table["phash"] = [f"{value:016x}" for value in table.phash]
    table.insert(0, "id", [f"{i * 7919 % 100_003:016x}" for i in range(len(table))])
    return table


def strangers(counts, seed=0, person="", part="pool"):
    """Photos of unrelated hashes: counts = {label: number}."""
    rng = np.random.default_rng(seed)
    hashes = iter(rng.integers(0, 2**63, sum(counts.values()), dtype=np.uint64).tolist())
    return [(label, person, next(hashes), part) for label, n in counts.items() for _ in range(n)]


def dealt(table, classes, val=0.2, test=0.2, seed=1, distance=DISTANCE):
    return split(
        table, list(classes), val=val, test=test, duplicate_distance=distance, seed=seed, key="k"
    )


def bits(a, b):
    return (int(a, 16) ^ int(b, 16)).bit_count()


@st.composite
def collections(draw):
    """Three classes; persons with several photos, some under two classes; near-duplicates by
    flipping a few bits of an earlier photo's hash; wild photos, some of known people."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows = []
    for _ in range(draw(st.integers(12, 60))):
        value = int(rng.integers(0, 2**63))
        if rows and rng.random() < draw(st.sampled_from([0, 0.3])):
            value = rows[rng.integers(len(rows))][2]
            for bit in rng.integers(0, 64, rng.integers(0, DISTANCE + 3)):
                value ^= 1 << int(bit)
        person = f"p{rng.integers(20)}" if rng.random() < draw(st.sampled_from([0, 0.7])) else ""
        label = "abc"[(int(person[1:]) if person and rng.random() < 0.9 else rng.integers(3)) % 3]
        rows.append((label, person, value, "wild" if rng.random() < 0.2 else "pool"))
    return photos(rows)


@settings(max_examples=50, deadline=None)
@given(collections(), st.integers(0, 5))
def test_nothing_crosses_parts(table, seed):
    try:
        result = dealt(table, "abc", seed=seed)
    except UserError:
        assume(False)
    assert list(result.id) == sorted(table.id)  # each photo exactly once
    before = table.set_index("id").part[result.id].to_numpy()
    assert set(result.part[before == "pool"]) <= set(PARTS)
    assert set(result.part[before == "wild"]) <= {"wild", ""}
    assert ((result.part == "") == (result.reason != "")).all()
    here = result[result.part != ""]
    assert (here.groupby("group").part.nunique() == 1).all()
    for a, b in combinations(here.itertuples(), 2):  # told apart from how groups are found
        if (a.person and a.person == b.person) or bits(a.phash, b.phash) <= DISTANCE:
            assert a.part == b.part
    for label in "abc":
        assert set(PARTS) <= set(here.part[here.label == label])


@settings(max_examples=15, deadline=None)
@given(collections(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(table, random):
    order = list(range(len(table)))
    random.shuffle(order)
    try:
        result = dealt(table, "abc")
    except UserError:
        assume(False)
    pd.testing.assert_frame_equal(result, dealt(table.iloc[order], "abc"))


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(10, 80), min_size=2, max_size=4),
    st.floats(0.1, 0.3),
    st.floats(0.1, 0.3),
    st.integers(1, 3),
)
def test_shares_are_near_those_asked_for(sizes, val, test, most):
    """Groups of one to `most` photos: no class is off by more than such a group or two."""
    rng, rows = np.random.default_rng(sum(sizes)), []
    for seed, (label, size) in enumerate(zip("abcd", sizes, strict=False)):
        person = np.repeat(np.arange(size), rng.integers(1, most + 1, size))[:size]
        unrelated = strangers({label: size}, seed)
        rows += [(label, f"{label}{p}", *row[2:]) for p, row in zip(person, unrelated, strict=True)]
    table = photos(rows)
    assume(table.groupby("label").person.nunique().min() >= 3)
    result = dealt(table, "abcd"[: len(sizes)], val, test, distance=0)
    for (label, size), (part, share) in (
        (a, b)
        for a in zip("abcd", sizes, strict=False)
        for b in zip(PARTS, (1 - val - test, val, test), strict=True)
    ):
        got = ((result.label == label) & (result.part == part)).sum()
        assert abs(got - share * size) <= 2 * most, (label, part)


def test_seed_decides_and_repeats():
    table = photos(strangers({"a": 40, "b": 40}))
    first, again, other = (dealt(table, "ab", seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert (first.part != other.part).any()
    assert (first.part.value_counts() == other.part.value_counts()).all()


def test_large_and_small_groups_come_into_every_part():
    rows = [
        ("a", f"{size}-{i}", *row[2:])
        for size, n in ((4, 15), (1, 30))
        for i in range(n)
        for row in strangers({"a": size}, 100 * size + i)
    ]
    result = dealt(photos(rows), ["a"])
    size = result.group.map(result.group.value_counts())
    assert (pd.crosstab(size, result.part) > 0).all().all()


def test_three_groups_of_which_one_is_huge():
    rows = [("a", person, *row[2:]) for person, n in (("x", 50), ("y", 2), ("z", 1))
            for row in strangers({"a": n}, n)]  # fmt: skip
    result = dealt(photos(rows), ["a"])
    assert result.groupby("person").part.first().to_dict()["x"] == "train"
    assert set(result.part) == set(PARTS)


@pytest.mark.parametrize(
    "counts",
    [
        [[1], [1], [1]],
        [[5], [5], [5]],
        [[9, 0], [9, 0], [9, 0], [0, 1], [0, 30], [0, 1]],
        [[2, 4], [3, 3], [1, 4]],  # persons of two classes
        [[1, 1], [1, 3], [3, 2]],
    ],
)
@pytest.mark.parametrize("share", [0.02, 0.2, 0.44])
def test_as_few_groups_as_parts_give_each_part_one(counts, share):
    counts = np.array(counts)
    part = deal(counts, np.array([1 - 2 * share, share, share]), seed=1)
    for name in range(counts.shape[1]):
        assert set(part[counts[:, name] > 0]) == {0, 1, 2}


def test_person_of_two_classes_stays_in_one_part():
    rows = strangers({"a": 20, "b": 20})
    rows += strangers({"a": 3, "b": 4}, seed=1, person="albus")
    result = dealt(photos(rows), "ab")
    assert result.part[result.person == "albus"].nunique() == 1
    assert result.group[result.person == "albus"].nunique() == 1


def test_wild_photo_with_a_twin_or_its_person_in_the_pool_is_no_exam():
    rows = (
        strangers({"a": 12}) + strangers({"a": 1}, 1, "anna") + strangers({"a": 4}, 2, "", "wild")
    )
    rows += strangers({"a": 1}, 3, "anna", "wild") + strangers({"a": 2}, 4, "carla", "wild")
    rows.append(("a", "", rows[0][2] ^ 0b101, "wild"))
    table = photos(rows)
    result = dealt(table, ["a"]).set_index("id").loc[table.id]
    lost = result[result.part == ""]
    assert list(lost.index) == [table.id.iloc[17], table.id.iloc[20]]
    assert lost.reason.str.startswith("its person or a near-duplicate is in the pool: ").all()
    assert (result.part == "wild").sum() == 6


@pytest.mark.parametrize("groups_of_b", [0, 1, 2])
def test_class_with_too_few_groups_is_named(groups_of_b):
    rows = strangers({"a": 9}) + [
        row for i in range(groups_of_b) for row in strangers({"b": 5}, i + 1, f"person{i}")
    ]
    with pytest.raises(UserError) as error:
        dealt(photos(rows), "ab")
    assert f"k: class 'b' has {5 * groups_of_b} photos in {groups_of_b} groups" in str(error.value)
    assert "collect.person" in str(error.value) and "duplicate_distance (now 4)" in str(error.value)


def test_classes_that_share_their_groups_in_a_knot():
    """Every pair of five groups is two thirds of some class: three parts cannot serve them all."""
    rows, rng = [], np.random.default_rng(0)
    for i, people in enumerate(combinations(range(5), 3)):
        for person in people:
            rows.append((f"c{i}", f"p{person}", int(rng.integers(2**63)), "pool"))
    with pytest.raises(UserError, match="several classes"):
        dealt(photos(rows), [f"c{i}" for i in range(10)])


def test_chains_of_near_duplicates_are_one_group():
    chain = [0, 0b1111, 0b11111111, 1 << 60]
    table = photos([("a", "", value, "pool") for value in chain])
    group = groups(table, 4)
    assert group.tolist() == [group[0]] * 4  # 1 << 60 is one bit from 0
    assert groups(table, 3).nunique() == 3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 12))
def test_every_near_pair_is_found(seed, distance):
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 2**63, 6, dtype=np.uint64)
    flips = (np.uint64(1) << rng.integers(0, 64, (40, 5), dtype=np.uint64)).sum(1, dtype=np.uint64)
    phash = pd.Series([f"{v:016x}" for v in base[rng.integers(0, 6, 40)] ^ flips])
    found = {tuple(pair) for pair in near_duplicates(phash, distance).tolist()}
    pairs = combinations(range(40), 2)
    assert found == {(i, j) for i, j in pairs if bits(phash[i], phash[j]) <= distance}


def planted(kind):
    """A clean split, and the same with one leak put in by hand."""
    rows = (
        strangers({"a": 20}) + strangers({"a": 4}, 1, "anna") + strangers({"a": 4}, 2, "", "wild")
    )
    result = dealt(photos(rows), ["a"])
    assert len(leaks(result, DISTANCE)) == 0
    leaky = result.copy()
    train, wild = result.index[result.part == "train"], result.index[result.part == "wild"]
    if kind == "near-duplicate":
        test = result.index[result.part == "test"][0]
        leaky.loc[test, "phash"] = f"{int(leaky.phash[train[0]], 16) ^ 0b11:016x}"
    elif kind == "person":
        anna = result.index[result.person == "anna"]
        leaky.loc[anna[0], "part"] = "val" if result.part[anna[0]] != "val" else "train"
    else:
        leaky.loc[wild[0], "phash"] = leaky.phash[train[0]]
    return leaky


@pytest.mark.parametrize("kind", ["near-duplicate", "person", "wild"])
def test_planted_leak_is_caught(kind):
    found = leaks(planted(kind), DISTANCE)
    assert len(found) >= 1
    assert set(found.why) == {"one person" if kind == "person" else "near-duplicates"}
    with pytest.raises(AssertionError, match="leaks between the parts"):
        refuse_leaks(planted(kind), DISTANCE)


def test_removed_photo_leaks_nothing():
    leaky = planted("wild")
    leaky.loc[leaky.part == "wild", "part"] = ""
    assert leaks(leaky, DISTANCE).empty


def test_command(tmp_path):
    """Only photos that the matte kept are dealt out; what wild lost is written down."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    task = next(iter(params["tasks"]))
    params["tasks"][task]["classes"] = {"쿨톤": "cool", "웜톤": "warm"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params, allow_unicode=True))
    rows = strangers({"쿨톤": 10, "웜톤": 12}) + strangers({"웜톤": 3}, 1, "", "wild")
    table = photos([*rows, ("웜톤", "", rows[0][2], "wild")])
    write_table(tmp_path / f"data/raw/{task}/manifest.csv", table)
    mattes = pd.DataFrame({"id": table.id, "kept": "1", "reason": ""})
    mattes.loc[3, "kept"] = "0"
    write_table(tmp_path / f"data/mattes/{task}/mattes.csv", mattes.sort_values("id"))
    result = subprocess.run(
        [sys.executable, "-m", "stages.split", task],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "1 wild photos set aside" in result.stderr
    splits = read_table(tmp_path / f"data/splits/{task}/splits.csv")
    removed = read_table(tmp_path / f"data/splits/{task}/removed.csv")
    assert list(splits.columns) == ["id", "label", "person", "group", "part"]
    assert set(splits.id) == set(table.id) - {table.id[3], table.id[25]}
    assert list(removed.id) == [table.id[25]] and "near-duplicate" in removed.reason[0]
    assert set(splits.part) == {"train", "val", "test", "wild"}
