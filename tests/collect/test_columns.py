"""Columns that sources bring, and the one that is a number: `value`."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.collect import drawn, urls
from stages.collect.candidate import Candidate, Context
from stages.collect.collect import collect
from stages.collect.columns import valued
from stages.collect.synthetic import plan
from stages.collect.synthetic.person import person
from stages.common.errors import UserError
from stages.records.params import Collect
from stages.records.sources import Synthetic, Urls
from tests.text_table import read_table

BINS = {"cool": (0, 39), "warm": (40, 120)}


@pytest.fixture
def run(tmp_path, monkeypatch, tombstones, jpeg):
    """(columns, bins, names below the folder) -> manifest and rejected as they stand on disk."""
    monkeypatch.setattr("stages.collect.collect.map_cores", lambda f, items, **_: map(f, items))

    def run(columns, *names, bins=BINS):
        names = [*names, *(f"cool/a{n}A{30 + n}F.jpg" for n in range(3))]
        names += [f"warm/b{n}A{40 + n}M.jpg" for n in range(3)]
        for seed, name in enumerate(names):
            path = tmp_path / "photos" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(jpeg(seed))
        (tmp_path / "out").mkdir()
        source = {"source": "folder", "columns": columns}
        params = Collect(path=tmp_path / "photos", sources=[source])
        key = "tasks.tone.collect"
        context = Context(params.path, list(BINS), key, tmp_path, tombstones(), bins)
        collect(params, context, tmp_path / "out")
        tables = (read_table(tmp_path / "out" / name) for name in ("manifest.csv", "rejected.csv"))
        return [table.set_index("name") for table in tables]

    return run


def test_named_groups_of_a_files_name_become_columns(run):
    manifest, rejected = run(r"A(?P<sex>)(?P<value>\d+)(?P<sex_>[FM])", "cool/plain.jpg")
    assert list(manifest.columns[-3:]) == ["value", "sex", "sex_"]
    assert manifest.value["cool/a1A31F.jpg"] == "31" and manifest.sex_["warm/b2A42M.jpg"] == "M"
    assert manifest.value["cool/plain.jpg"] == ""  # not known, and no reason to leave it out
    assert len(rejected) == 0


def test_a_number_that_cannot_be_right_is_set_aside_with_its_reason(run):
    odd = ["cool/xA41.jpg", "warm/xA7.jpg", "warm/xAbc.jpg", "cool/xAnan.jpg", "cool/xA007.jpg"]
    manifest, rejected = run(r"A(?P<value>\d+|[a-z]+)", *odd)
    assert dict(rejected.reason) == {
        "cool/xA41.jpg": "its value 41 is not one of cool: 0 to 39",
        "warm/xA7.jpg": "its value 7 is not one of warm: 40 to 120",
        "warm/xAbc.jpg": "its value 'bc' is no number",
        "cool/xAnan.jpg": "its value 'nan' is no number",
    }
    assert manifest.value["cool/xA007.jpg"] == "7"


def test_without_bins_any_number_will_do(run):
    manifest, _ = run(r"A(?P<value>\d+)", "cool/xA999.jpg", bins=None)
    assert manifest.value["cool/xA999.jpg"] == "999"


def test_a_column_of_our_own_and_an_expression_that_finds_nothing_are_refused(run, tmp_path):
    with pytest.raises(UserError, match=r"sources.0.columns: 'label' is a column of our own"):
        run(r"A(?P<label>\d+)")
    (tmp_path / "out").rmdir()
    with pytest.raises(UserError, match=r"sources.0.columns: .* finds nothing in any"):
        run(r"years(?P<value>\d+)")


@given(st.floats() | st.text(max_size=8))
def test_a_value_is_a_finite_number_of_its_class_or_refused(value):
    text = str(value)
    found = valued(Candidate("a", "cool", "", "pool", "folder", columns={"value": text}), BINS)
    if not found.reason and text:
        assert 0 <= found.value <= 39
        assert found.value == pytest.approx(float(text), rel=1e-9)


def test_further_columns_of_a_list_are_carried(context, monkeypatch):
    monkeypatch.setattr(urls, "download", lambda wanted, *_, **__: dict.fromkeys(wanted, Path()))
    source, known = Urls(source="urls", file="list.csv", contact="me@example.org"), context()
    (known.root / "list.csv").write_text("url,label,sex,value\nhttp://a/b,cool,f,3.5\n")
    [found] = urls.candidates(source, known)
    assert found.columns == {"sex": "f", "value": "3.5"}
    (known.root / "list.csv").write_text("url,label,phash\nhttp://a/b,cool,f\n")
    with pytest.raises(UserError, match=r"list.csv: 'phash' is a column of our own"):
        urls.candidates(source, known)


def test_drawn_ages_are_in_their_class_and_grow_with_the_face(tombstones):
    bins = {"minor": (0, 18), "young": (19, 39), "middle": (40, 59), "senior": (60, 120)}
    source = Synthetic(
        source="synthetic", signal="age", people=40, photos=1, wild=0, size=128, seed=1
    )
    context = Context(Path(), list(bins), "key", Path(), tombstones(), bins=bins)
    found = drawn.candidates(source, context)
    years = np.array([float(candidate.columns["value"]) for candidate in found])
    for candidate, age in zip(found, years, strict=True):
        assert bins[candidate.label][0] <= age <= bins[candidate.label][1]
    specs = plan(list(bins), **source.model_dump(exclude={"source"}))
    faces = [person("age", s.rank, 4, np.random.default_rng(s.person_seed)).age for s in specs]
    for rank in range(4):  # in years to one decimal
        mine = [spec.rank == rank for spec in specs]
        order = np.argsort(np.array(faces)[mine], kind="stable")
        assert (np.diff(years[mine][order]) >= 0).all() and len(set(years[mine])) > 20
    plain = Context(Path(), list(bins), "key", Path(), tombstones())
    assert not any(c.columns for c in drawn.candidates(source, plain))
