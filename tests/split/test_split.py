import os
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stages.common.errors import UserError
from stages.common.images import write_png
from stages.extract.crop import Geometry
from stages.records.faces import GEOMETRY
from stages.records.folders import Folders, picture
from stages.records.manifest import MANIFEST, Photo
from stages.records.mattes import MATTES, Cutout
from stages.records.params import Split
from stages.records.splits import DUPLICATES, REMOVED, SPLITS, kept_together
from stages.split.groups import groups
from stages.split.split import PARTS, deal, leaks, refuse_leaks, split
from tests.params_yaml import complete, shipped, write_params
from tests.weights_folder import write_weights

ROOT = Path(__file__).parents[2]


def photos(rows):
    """A table of (label, person, part)."""
    table = pd.DataFrame(rows, columns=["label", "person", "part"], dtype=object)
    table.insert(0, "id", [f"{i * 7919 % 100_003:016x}" for i in range(len(table))])
    return table


def strangers(counts, person="", part="pool"):
    """Photos: counts = {label: number}."""
    return [(label, person, part) for label, n in counts.items() for _ in range(n)]


def linked(table, *rows):
    """Pairs of duplicates by their rows in `table`."""
    ids = [sorted(table.id.iloc[list(pair)]) for pair in rows]
    return pd.DataFrame(ids, columns=["a", "b"], dtype=object)


def dealt(
    table, classes, val=0.2, test=0.2, seed=1, duplicates=None, together="person", faces=None, **own
):
    duplicates = linked(table) if duplicates is None else duplicates
    own |= {"val": val, "test": test, "seed": seed, "keep_together": together}
    params = Split(**shipped()["defaults"]["split"] | own)
    return split(table, duplicates, list(classes), params, faces=faces, key="k")


TOGETHER = st.sampled_from(["person", "shot"])


@st.composite
def collections(draw):
    """Three classes; persons with several photos, some under two classes; pairs of duplicates, some
    of two labels; wild photos, some of known people."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows, pairs = [], []
    for k in range(draw(st.integers(12, 60))):
        person = f"p{rng.integers(20)}" if rng.random() < draw(st.sampled_from([0, 0.7])) else ""
        label = "abc"[(int(person[1:]) if person and rng.random() < 0.9 else rng.integers(3)) % 3]
        if rows and rng.random() < draw(st.sampled_from([0, 0.3])):
            pairs.append((int(rng.integers(k)), k))
            label = rows[pairs[-1][0]][0] if rng.random() < 0.8 else label
        rows.append((label, person, "wild" if rng.random() < 0.2 else "pool"))
    table = photos(rows)
    return table, linked(table, *pairs)


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(collections(), st.integers(0, 5), TOGETHER)
def test_nothing_crosses_parts(collection, seed, together):
    table, duplicates = collection
    try:
        result = dealt(table, "abc", seed=seed, duplicates=duplicates, together=together)
    except UserError:
        assume(False)
    assert list(result.id) == sorted(table.id)  # each photo exactly once
    before = table.set_index("id").part[result.id].to_numpy()
    assert set(result.part[before == "pool"]) <= {*PARTS, ""}
    assert set(result.part[before == "wild"]) <= {"wild", ""}
    assert ((result.part == "") == (result.reason != "")).all()
    here = result[result.part != ""]
    assert (here.groupby(kept_together(together)).part.nunique() == 1).all()
    assert (here.groupby("shot").group.nunique() == 1).all()
    twins = {frozenset(pair) for pair in duplicates.itertuples(index=False)}
    for a, b in combinations(here.itertuples(), 2):  # told apart from how groups are found
        one_person = a.person != "" and a.person == b.person
        one_shot = frozenset((a.id, b.id)) in twins
        if one_shot or (one_person and together == "person"):
            assert a.part == b.part
        assert a.group == b.group or not (one_person or one_shot)
        assert frozenset((a.id, b.id)) not in twins or a.label == b.label
    for label in "abc":
        assert set(PARTS) <= set(here.part[here.label == label])


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(collections(), TOGETHER)
def test_a_wild_photo_is_set_aside_only_for_what_the_pool_may_tell(collection, together):
    table, duplicates = collection
    try:
        result = dealt(table, "abc", duplicates=duplicates, together=together)
    except UserError:
        assume(False)
    aside = result[result.reason.str.contains("in the pool")]
    pool = result[result.part.isin(PARTS)]
    unit = kept_together(together)
    assert aside[unit].isin(pool[unit]).all()
    assert not result[unit][result.part == "wild"].isin(pool[unit]).any()


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(collections(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(collection, random):
    table, duplicates = collection
    order = list(range(len(table)))
    random.shuffle(order)
    try:
        result = dealt(table, "abc", duplicates=duplicates)
    except UserError:
        assume(False)
    duplicates = duplicates.sample(frac=1, random_state=random.randrange(2**32))
    shuffled = dealt(table.iloc[order], "abc", duplicates=duplicates)
    pd.testing.assert_frame_equal(result, shuffled)


@pytest.mark.slow
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
    for label, size in zip("abcd", sizes, strict=False):
        person = np.repeat(np.arange(size), rng.integers(1, most + 1, size))[:size]
        rows += [(label, f"{label}{p}", "pool") for p in person]
    table = photos(rows)
    assume(table.groupby("label").person.nunique().min() >= 3)
    result = dealt(table, "abcd"[: len(sizes)], val, test)
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
        for row in strangers({"a": size})
    ]
    result = dealt(photos(rows), ["a"])
    size = result.group.map(result.group.value_counts())
    assert (pd.crosstab(size, result.part) > 0).all().all()


def test_three_groups_of_which_one_is_huge():
    rows = [
        ("a", person, *row[2:])
        for person, n in (("x", 50), ("y", 2), ("z", 1))
        for row in strangers({"a": n})
    ]
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
    rows += strangers({"a": 3, "b": 4}, person="albus")
    result = dealt(photos(rows), "ab")
    assert result.part[result.person == "albus"].nunique() == 1
    assert result.group[result.person == "albus"].nunique() == 1


def test_wild_photo_with_a_twin_or_its_person_in_the_pool_is_no_exam():
    rows = strangers({"a": 12}) + strangers({"a": 1}, "anna") + strangers({"a": 4}, "", "wild")
    rows += strangers({"a": 1}, "anna", "wild") + strangers({"a": 2}, "carla", "wild")
    rows.append(("a", "", "wild"))
    table = photos(rows)
    result = dealt(table, ["a"], duplicates=linked(table, (0, 20))).set_index("id").loc[table.id]
    lost = result[result.part == ""]
    assert list(lost.index) == [table.id.iloc[17], table.id.iloc[20]]
    assert lost.reason.str.startswith("its person or a duplicate is in the pool: ").all()
    assert (result.part == "wild").sum() == 6


def test_by_shot_a_person_may_be_in_every_part_and_in_the_wild():
    rows = [("a", f"p{k % 4}", "pool") for k in range(40)] + [("a", "p0", "wild")] * 3
    table = photos(rows)
    twins = linked(table, (0, 4), (1, 5), (8, 40))  # the last: of the pool and wild
    result = dealt(table, ["a"], duplicates=twins, together="shot")
    assert result.groupby("person").part.nunique().min() > 1
    by_id = result.set_index("id")
    for a, b in [(0, 4), (1, 5)]:
        assert by_id.part[table.id[a]] == by_id.part[table.id[b]]
    lost = result[result.part == ""]
    assert list(lost.id) == [table.id[40]]
    assert lost.reason.str.startswith("a duplicate is in the pool: ").all()
    assert result.group.nunique() == 4  # intervals count persons all the same
    assert result.shot.nunique() == 40
    assert leaks(result, twins, "shot").empty
    assert set(leaks(result, twins, "person").why) == {"one person"}


@pytest.mark.parametrize("groups_of_b", [0, 1, 2])
def test_class_with_too_few_groups_is_named(groups_of_b):
    rows = strangers({"a": 9}) + [
        row for i in range(groups_of_b) for row in strangers({"b": 5}, f"person{i}")
    ]
    with pytest.raises(UserError) as error:
        dealt(photos(rows), "ab")
    assert f"k: class 'b' has {5 * groups_of_b} photos in {groups_of_b} groups" in str(error.value)
    assert "collect.sources" in str(error.value)
    assert "raise split.duplicate_similarity" in str(error.value)


def test_classes_that_share_their_groups_in_a_knot():
    """Every pair of five groups is two thirds of some class: three parts cannot serve them all."""
    rows = []
    for i, people in enumerate(combinations(range(5), 3)):
        for person in people:
            rows.append((f"c{i}", f"p{person}", "pool"))
    with pytest.raises(UserError, match="several classes"):
        dealt(photos(rows), [f"c{i}" for i in range(10)])


def test_chains_of_duplicates_are_one_group():
    table = photos(strangers({"a": 6}))
    group = groups(table, linked(table, (0, 1), (1, 2), (4, 5)))
    assert group[0] == group[1] == group[2] and group[4] == group[5]
    assert group.nunique() == 3


def test_one_picture_under_two_labels_is_set_aside():
    """The whole cluster is one picture; nobody knows which label is right. Wild ones count too."""
    table = photos([*strangers({"a": 9, "b": 9}), ("a", "anna", "pool"), ("a", "", "wild")])
    table.loc[3, "person"] = "anna"  # of the photos set aside, the person decides nothing
    result = dealt(table, "ab", duplicates=linked(table, (3, 4), (4, 12), (9, 19), (0, 1)))
    result = result.set_index("id").loc[table.id]
    aside = result[result.part == ""]
    assert set(aside.index) == set(table.id[[3, 4, 12, 9, 19]])
    others = {3: [12], 4: [12], 12: [4, 3], 9: [19], 19: [9]}
    for row, twins in others.items():
        ids = ", ".join(sorted(table.id[twins]))
        reason = aside.reason[table.id[row]]
        assert reason == f"same picture under another label: {ids}"
    assert result.group[table.id[0]] == result.group[table.id[1]]


def planted(kind):
    """A clean split and its duplicates, and one leak put in by hand."""
    rows = strangers({"a": 20}) + strangers({"a": 4}, "anna") + strangers({"a": 4}, "", "wild")
    table = photos(rows)
    duplicates = linked(table, (0, 1), (5, 6))
    result = dealt(table, ["a"], duplicates=duplicates)
    assert leaks(result, duplicates).empty
    train, wild = result.index[result.part == "train"], result.index[result.part == "wild"]
    if kind == "duplicates":
        test = result.index[result.part == "test"][0]
        duplicates = pd.concat([duplicates, linked(result, (train[0], test))])
    elif kind == "one person":
        anna = result.index[result.person == "anna"]
        result.loc[anna[0], "part"] = "val" if result.part[anna[0]] != "val" else "train"
    else:
        duplicates = pd.concat([duplicates, linked(result, (train[0], wild[0]))])
    return result, duplicates


@pytest.mark.parametrize("kind", ["duplicates", "one person", "wild"])
def test_planted_leak_is_caught(kind):
    found = leaks(*planted(kind))
    assert len(found) >= 1
    assert len(leaks(*planted(kind), "shot")) == (0 if kind == "one person" else len(found))
    assert set(found.why) == {"one person" if kind == "one person" else "duplicates"}
    with pytest.raises(AssertionError, match="leaks between the parts"):
        refuse_leaks(*planted(kind))


def test_removed_photo_leaks_nothing():
    leaky, duplicates = planted("wild")
    leaky.loc[leaky.part == "wild", "part"] = ""
    assert leaks(leaky, duplicates).empty


@pytest.mark.slow
def test_command(tmp_path):
    """Photos that the matte kept are dealt out; copies stay together, go out of wild, and are set
    aside under two labels: each photo is in one of the two files."""
    params = complete()
    task = next(iter(params["tasks"]))
    params["tasks"][task] |= {"classes": {"쿨톤": "cool", "웜톤": "warm"}, "bins": None}
    write_params(params, tmp_path)
    table = photos([*strangers({"쿨톤": 12, "웜톤": 12}), *strangers({"웜톤": 4}, "", "wild")])
    copies = {5: 4, 20: 2, 27: 13}  # within a class, under two labels, wild of the pool
    at = Folders(task, tmp_path)
    empty = {field.name: "" for field in msgspec.structs.fields(Photo) if field.required}
    rows = table.to_dict("records")
    MANIFEST.write(at.raw, [Photo(**empty | {"width": 96, "height": 96} | row) for row in rows])
    for row, id in enumerate(table.id):
        photo = noise(copies.get(row, row))
        for folder, shown in ((at.raw, photo), (at.faces, photo[16:80, 16:80])):
            path = picture(folder, id)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_png(path, np.clip(shown * (0.8 if row in copies else 1), 0, 255).astype(np.uint8))
    kept = {id: id != table.id[3] for id in sorted(table.id)}
    write_weights(at.weights)
    GEOMETRY.write(at.faces, Geometry(64, 0.5).places())
    MATTES.write(at.mattes, [Cutout(id, "", "none", 1, kept[id]) for id in kept])
    result = subprocess.run(
        [sys.executable, "-m", "stages.split", task],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert "faces cannot be compared" in result.stderr  # who is on the photos is not known
    assert "1 photos set aside: its person or a duplicate is in the pool" in result.stderr
    assert "2 photos set aside: same picture under another label" in result.stderr
    splits, removed, duplicates = (
        table.frame(at.splits) for table in (SPLITS, REMOVED, DUPLICATES)
    )
    assert list(splits.columns) == ["id", "label", "person", "group", "shot", "part", "value"]
    assert sorted([*splits.id, *removed.id]) == sorted(set(table.id) - {table.id[3]})
    assert set(removed.id) == set(table.id[[2, 20, 27]])
    found = {frozenset(pair) for pair in zip(duplicates.a, duplicates.b, strict=True)}
    assert found == {frozenset(table.id[[a, b]]) for a, b in copies.items()}
    assert splits.set_index("id").group[table.id[[4, 5]]].nunique() == 1
    assert set(splits.part) == {"train", "val", "test", "wild"}


def noise(seed):
    """(96, 96, 3) `uint8`: clouds that resemble no others."""
    clouds = np.random.default_rng(seed).uniform(0, 255, (12, 12, 3)).astype(np.uint8)
    return cv2.resize(clouds, (96, 96), interpolation=cv2.INTER_CUBIC)
