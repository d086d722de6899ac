"""One person's photos by their faces: the rules of joining, on vectors that stand for faces."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from stages.common.errors import UserError
from stages.split.groups import groups, join_faces
from stages.split.people import NEAREST, join, neighbours
from stages.split.split import leaks, refuse_leaks
from tests.split.test_split import collections, dealt, linked, photos, strangers

LEAST = 0.4


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def faces(people: list[int], noise: float, seed: int) -> np.ndarray:
    """(n, 16): a face of each of `people`, numbers; with more noise they are less alike."""
    rng = np.random.default_rng(seed)
    known = rng.normal(size=(max(people, default=0) + 1, 16))
    return unit(known[people] + noise * rng.normal(size=(len(people), 16)))


def alone(shown: np.ndarray) -> np.ndarray:
    return join(np.arange(len(shown)), np.zeros(len(shown), bool), shown, LEAST)


def same(one, other) -> bool:
    """Whether two groupings put the same photos together."""
    return bool((np.equal.outer(one, one) == np.equal.outer(other, other)).all())


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=2, max_size=NEAREST),
    st.floats(0.3, 1.5),
    st.integers(0, 10**6),
)
def test_it_is_average_linkage(people, noise, seed):
    shown = faces(people, noise, seed)
    found = linkage(pdist(shown.astype(float), "cosine"), "average")
    assume(np.abs(found[:, 2] - (1 - LEAST)).min() > 1e-4)
    assert same(alone(shown), fcluster(found, 1 - LEAST, "distance"))


def test_a_chain_of_strangers_who_look_alike_is_not_one_person():
    """Ten people, each a little like the next: connected components would join them all."""
    angle = np.linspace(0, np.pi, 10)
    shown = unit(np.column_stack([np.cos(angle), np.sin(angle)]))
    assert (shown[:-1] * shown[1:]).sum(1).min() > 0.9
    found = alone(shown)
    assert len(set(found)) > 1 and found[0] != found[-1]


@settings(max_examples=30, deadline=None)
@given(collections(), st.floats(0.2, 2), st.integers(0, 100))
def test_names_decide_and_faces_only_add(collection, noise, seed):
    table, duplicates = collection
    table = table.sort_values("id", ignore_index=True)
    rng = np.random.default_rng(seed)
    shown = faces(rng.integers(0, 8, len(table)).tolist(), noise, seed)
    before = groups(table, duplicates)
    after = join_faces(table, before, shown, LEAST)
    assert (after.groupby(before).nunique() == 1).all()  # what belonged together still does
    assert (after == table.id.groupby(after).transform("min")).all()
    named = before[table.person != ""]
    merged = named.groupby(after[named.index]).nunique()
    assert (merged <= 1).all()  # faces join no two groups that have names


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(collections(), st.floats(0.2, 2), st.integers(0, 5))
def test_nobody_recognised_crosses_parts(collection, noise, seed):
    table, duplicates = collection
    rng = np.random.default_rng(seed)
    shown = faces(rng.integers(0, 20, len(table)).tolist(), noise, seed)
    try:
        result = dealt(table, "abc", seed=seed, duplicates=duplicates, faces=shown)
    except UserError:
        assume(False)
    here = result[result.part != ""]
    assert (here.groupby("group").part.nunique() == 1).all()
    assert leaks(result, duplicates).empty
    by_shot = dealt(table, "abc", seed=seed, duplicates=duplicates, together="shot")
    assert leaks(by_shot, duplicates, "shot").empty

    order = rng.permutation(len(table))
    other = dealt(table.iloc[order], "abc", seed=seed, duplicates=duplicates, faces=shown[order])
    pd.testing.assert_frame_equal(result, other)


def test_a_photo_without_a_name_joins_the_person_it_resembles_most():
    rows = [("a", "anna", "pool")] * 3 + [("a", "bea", "pool")] * 3 + [("a", "", "pool")] * 9
    table = photos(rows)
    shown = np.eye(16, dtype=np.float32)[[0] * 3 + [1] * 3 + [2, *range(2, 10)]]
    shown[6] = unit(np.array([[0.8, 0.6, *[0] * 14]]))[0]  # resembles both
    result = dealt(table, ["a"], faces=shown).set_index("id").loc[table.id]
    assert result.group.iloc[[0, 1, 2, 6]].nunique() == 1
    assert result.group.iloc[3] != result.group.iloc[0]
    assert result.group.nunique() == 10


def test_a_wild_photo_of_a_face_in_the_pool_is_no_exam():
    table = photos(strangers({"a": 9}) + strangers({"a": 2}, part="wild"))
    shown = np.eye(16, dtype=np.float32)[[*range(9), 0, 9]]
    result = dealt(table, ["a"], faces=shown).set_index("id").loc[table.id]
    assert list(result.part.iloc[9:]) == ["", "wild"]
    assert result.reason.iloc[9].startswith("its person or a duplicate is in the pool: ")
    off = dealt(table, ["a"], faces=shown, same_face=None)
    assert (off.part == "wild").sum() == 2


def test_a_planted_leak_of_a_recognised_face_is_caught():
    table = photos(strangers({"a": 12}))
    shown = np.eye(16, dtype=np.float32)[[0, 0, *range(2, 12)]]
    result = dealt(table, ["a"], faces=shown)
    twins = result.index[result.id.isin(table.id[:2])]
    assert result.part[twins].nunique() == 1
    result.loc[twins[0], "part"] = "test" if result.part[twins[1]] != "test" else "train"
    assert list(leaks(result, linked(table)).why) == ["one group"]
    with pytest.raises(AssertionError, match="leaks between the parts"):
        refuse_leaks(result, linked(table))


def test_many_photos_need_little_memory_beside_them():
    """Of each face at most NEAREST others are looked at, however many there are."""
    shown = faces(np.arange(600) // 60 % 10, 0.1, 1)
    assert len(neighbours(shown, LEAST)) <= 600 * (NEAREST + 1)
    assert len(set(alone(shown))) == 10
