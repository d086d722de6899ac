import numpy as np
import pandas as pd
import pytest

from stages.common.errors import UserError
from stages.evaluate.slices import slice_columns, slices
from stages.networks.metrics import share_interval

IDS = [f"{i:02}" for i in range(40)]
MANIFEST = pd.DataFrame({"id": IDS, "source": "folder", "sex": ["f", "m"] * 19 + ["", "x"]})
FACES = pd.DataFrame({"id": IDS, "faces": 1, "flags": ["blur tint"] * 6 + [""] * 34})
MATTES = pd.DataFrame({"id": IDS[:30], "flags": ["large"] * 12 + [""] * 18})  # 10 had no face


def columns(*names):
    return slice_columns(names, "tasks.age.evaluate.slices", MANIFEST, FACES, MATTES)


def test_flags_of_both_tables_and_columns_of_either():
    right = np.arange(40) % 4 > 0
    found = slices(IDS, right, np.array(IDS), columns("flags", "sex", "faces"))
    of = {(row.column, row.value): row for row in found}
    # x has one photo, and all have one face: neither can be compared.
    flags = {("flags", "blur"), ("flags", "tint"), ("flags", "large")}
    assert set(of) == flags | {("sex", "f"), ("sex", "m")}
    assert of["flags", "blur"].n == 6 and of["flags", "large"].n == 12
    assert of["sex", "f"].n == of["sex", "m"].n == 19


def test_a_planted_gap_is_found_with_its_interval():
    right = np.array([i % 2 == 1 for i in range(40)])  # all m right, all f wrong
    f, m = slices(IDS, right, np.array(IDS), columns("sex"))
    assert f.accuracy == 0 and f.gap == pytest.approx(-20 / 21)
    assert -1.2 < f.gap_low < -0.95 and -0.9 < f.gap_high < -0.5
    assert m.gap > 0 and m.gap_low > 0.5
    assert m.high == 1 and m.low < 0.9  # all right is not certain


def test_intervals_are_of_groups():
    right = np.repeat(np.random.default_rng(0).random(10) < 0.6, 4)  # a person is answered alike
    people = np.repeat(np.arange(10), 4).astype(str)
    alone, together = (
        slices(IDS, right, groups, columns("sex"))[0] for groups in (np.array(IDS), people)
    )
    assert alone.groups == 19 and together.groups == 10
    width = [row.gap_high - row.gap_low for row in (alone, together)]
    assert width[1] > 1.15 * width[0]


def test_a_column_that_both_tables_have_is_that_of_faces():
    manifest = MANIFEST.assign(faces="a source's own")
    found = slice_columns(("faces",), "", manifest, FACES, MATTES)
    assert set(map(tuple, found["faces"].values())) == {("1",)}


@pytest.mark.parametrize(("inside", "judged"), [(4, False), (5, True), (7, True), (8, False)])
def test_five_photos_inside_and_five_outside_are_enough(inside, judged):
    ids = IDS[:12]
    values = {id: ["x"] if row < inside else [] for row, id in enumerate(ids)}
    found = slices(ids, np.arange(12) % 2 > 0, np.array(ids), {"some": values})
    assert [(row.value, row.n) for row in found] == [("x", inside)] * judged


def test_the_interval_of_a_gap_is_made_of_both_sides_own_intervals():
    rng = np.random.default_rng(1)
    right, groups = rng.random(40) < 0.7, np.arange(40) // 3
    f, _ = slices(IDS, right, groups, columns("sex"))
    inside = MANIFEST["sex"].to_numpy() == "f"
    here, rest = right[inside].mean(), right[~inside].mean()
    low, high = share_interval(right[inside], groups[inside])
    rest_low, rest_high = share_interval(right[~inside], groups[~inside])
    assert (f.low, f.high, f.gap) == pytest.approx((low, high, here - rest))
    assert f.gap - f.gap_low == pytest.approx(np.hypot(here - low, rest_high - rest))
    assert f.gap_high - f.gap == pytest.approx(np.hypot(high - here, rest - rest_low))


def test_an_unknown_column_is_refused_by_name():
    with pytest.raises(UserError) as error:
        columns("flags", "gender")
    text = str(error.value)
    assert "tasks.age.evaluate.slices" in text and "'gender'" in text and "sex" in text


def test_an_empty_part():
    assert slices([], np.empty(0, bool), np.empty(0), columns("flags", "sex")) == []
