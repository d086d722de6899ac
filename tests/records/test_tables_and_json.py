"""Files of records: what is written is read again; anything else is refused with its place."""

import csv
import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.common.errors import UserError
from stages.records.calibration import CALIBRATION, Sigma, Temperature
from stages.records.faces import FACES, Crop
from stages.records.manifest import MANIFEST
from stages.records.objective import Objective
from stages.records.predictions import PREDICTIONS
from stages.records.splits import SPLITS, Assignment
from stages.records.trials import TRIALS, VAL_OUTPUTS, Attempt, Epoch, Outputs, Trials
from tests.collect.rows import manifest_row

SHA256 = 64 * "a"

# A file in UTF-8 cannot hold half a surrogate pair.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# What file names and sites bring: line ends, quotes, and beginnings of formulas.
ODD_TEXT = st.text("\r\n\t\"',;=+-@ ＝＋－＠|a1", max_size=8)
NUMBER = st.none() | st.floats(-1e6, 1e6).map(lambda value: float(f"{value:.6g}"))
WORDS = st.lists(st.sampled_from(["blur", "tiny", "pose"]), unique=True).map(tuple)
POINTS = st.none() | st.tuples(
    st.tuples(st.just(1.5), st.just(-2.0)), st.tuples(*[NUMBER.filter(bool)] * 2)
)


@given(
    st.lists(
        st.builds(
            Crop,
            TEXT,
            TEXT,
            st.booleans(),
            TEXT,
            TEXT,
            NUMBER,
            x=NUMBER,
            w=NUMBER,
            landmarks=POINTS,
            faces=st.none() | st.integers(0, 9),
            flags=WORDS,
        ),
        max_size=4,
    )
)
def test_a_table_comes_back_as_it_was(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("table")
    FACES.write(folder, rows)
    assert FACES.read(folder) == rows


@pytest.mark.slow
@given(st.lists(st.tuples(*[TEXT | ODD_TEXT] * 4), max_size=4), ODD_TEXT.filter(bool))
def test_any_text_comes_back_and_none_of_it_begins_a_formula(tmp_path_factory, texts, column):
    """By both readers, as both writers wrote it; also the name of a column."""
    folder = tmp_path_factory.mktemp("table")
    rows = [
        manifest_row(SHA256, name=a, person=b, author=c, columns={column: d})
        for a, b, c, d in texts
    ]
    MANIFEST.write(folder, rows)
    assert MANIFEST.read(folder) == rows
    frame, written = MANIFEST.frame(folder), MANIFEST.path(folder).read_bytes()
    assert frame.name.tolist() == [row.name for row in rows]
    if rows:
        assert frame[column].tolist() == [row.columns[column] for row in rows]
    MANIFEST.write_frame(folder, frame)
    assert MANIFEST.path(folder).read_bytes() == written
    with MANIFEST.path(folder).open(encoding="utf-8", newline="") as file:
        lines = list(csv.reader(file, strict=True))
    assert len(lines) == 1 + len(rows)
    assert not any(re.match(r"[=+\-@\t\r\n＝＋－＠]", cell) for line in lines for cell in line)


@given(st.floats(-1e9, 1e9))
def test_negative_numbers_stay_numbers(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("table")
    MANIFEST.write(folder, [manifest_row(SHA256, value=value)])
    [row] = MANIFEST.path(folder).read_text().splitlines()[1:]
    assert float(row.split(",")[-1]) == pytest.approx(value, rel=1e-9, abs=1e-99)


def test_a_table_is_never_in_memory_as_text(tmp_path):
    """Beside its records, which are all that a stage needs: with many photos it would not fit."""
    rows = [manifest_row(f"{number:064x}", columns={"camera": "x"}) for number in range(3000)]
    tracemalloc.start()
    try:
        MANIFEST.write(tmp_path, rows)
        assert tracemalloc.get_traced_memory()[1] < 500_000  # 3,000 lines are 1.6 MB as cells
        tracemalloc.reset_peak()
        found = MANIFEST.read(tmp_path)
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == rows
    assert most < 1.1 * held


def test_columns_that_differ_from_table_to_table_come_back(tmp_path):
    one = manifest_row(SHA256, value=27.5, columns={"sex": "f", "camera": ""})
    MANIFEST.write(tmp_path, [one])
    assert MANIFEST.read(tmp_path) == [one]
    assert list(MANIFEST.frame(tmp_path))[-3:] == ["value", "sex", "camera"]


def test_a_frame_has_types_and_is_written_as_the_rows_are(tmp_path):
    rows = [
        Assignment("a", "x", "", "a", "a", "train", 27.8),
        Assignment("b", "x", "anna", "b", "b", "wild"),
    ]
    SPLITS.write(tmp_path, rows)
    before = SPLITS.path(tmp_path).read_bytes()
    frame = SPLITS.frame(tmp_path)
    assert frame["value"].dtype == float and pd.isna(frame["value"][1]) and frame["person"][0] == ""
    SPLITS.write_frame(tmp_path, frame)
    assert SPLITS.path(tmp_path).read_bytes() == before


def test_probabilities_are_numbers_in_a_frame(tmp_path):
    PREDICTIONS.path(tmp_path).write_text(
        "id,part,label,predicted,confidence,answer,group,value,predicted_value,p_cool,p_warm\n"
        "a,test,cool,warm,0.75,warm,a,,,0.25,0.75\n"
    )
    assert PREDICTIONS.read(tmp_path)[0].probabilities == {"cool": 0.25, "warm": 0.75}
    assert PREDICTIONS.frame(tmp_path)["p_warm"].dtype == float


@pytest.mark.parametrize(
    "text",
    ["", "id,label\n", "id,label\na,b\n", "id,label,person,group,part,value\na,x,,a,train,ten\n"],
)
def test_a_table_of_another_shape_is_refused_by_name(tmp_path, text):
    SPLITS.path(tmp_path).write_text(text)
    with pytest.raises(UserError, match=r"splits\.csv.*dvc repro"):
        SPLITS.read(tmp_path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(UserError, match=r"calibration\.json: No such file.*dvc pull"):
        CALIBRATION.read(tmp_path)
    with pytest.raises(UserError, match=r"splits\.csv"):
        SPLITS.frame(tmp_path)


def test_both_calibrations_come_back_as_what_they_were(tmp_path):
    for calibration in (Temperature(1.5), Sigma(7.9, {"minor": (0, 18)}, "a note")):
        CALIBRATION.write(tmp_path, calibration)
        assert CALIBRATION.read(tmp_path) == calibration


@pytest.mark.parametrize("values", [None, np.array([31.5, 8], np.float32)])
def test_outputs_come_back_as_they_were(tmp_path, values):
    with pytest.raises(UserError, match=r"val_outputs\.npz.*dvc repro"):
        VAL_OUTPUTS.read(tmp_path)
    VAL_OUTPUTS.write(tmp_path, Outputs(np.eye(2, dtype=np.float32), values))
    raw, found = VAL_OUTPUTS.read(tmp_path)
    assert raw.dtype == np.float32 and (raw == np.eye(2)).all()
    assert found is None if values is None else (found == values).all()
    VAL_OUTPUTS.path(tmp_path).write_bytes(b"PK")
    with pytest.raises(UserError, match=r"val_outputs\.npz.*dvc repro"):
        VAL_OUTPUTS.read(tmp_path)


def test_what_cannot_be_read_again_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="temperature"):
        CALIBRATION.write(tmp_path, Temperature(float("nan")))
    assert not CALIBRATION.path(tmp_path).exists()


@pytest.mark.parametrize("objective, best", [("val_loss", 1), ("val_accuracy", 0)])
def test_trials_are_ranked_by_the_objective_failed_ones_last(tmp_path, objective, best):
    def attempt(trial: int, score: float | None) -> Attempt:
        status = "FAILED" if score is None else "COMPLETED"
        return Attempt(trial, 1, status, {}, "w", 1, score=score, epochs=(Epoch(0, 1, 0.5),))

    trials = Trials(
        search_id="a",
        kind="classification",
        objective=Objective(objective),
        params={},
        data=(),
        winner=best,
        stopped=False,
        trials=(attempt(0, 0.9), attempt(1, 0.2), attempt(2, None)),
        earlier=(),
    )
    TRIALS.write(tmp_path, trials)
    trials = TRIALS.read(tmp_path)
    assert trials.best == trials.ranked()[0] == trials.trials[best]
    assert trials.ranked()[-1].trial == 2
    assert trials.objective.better(trials.trials[best].score, trials.trials[1 - best].score)


def test_the_trials_of_an_earlier_versions_champion_can_be_read(tmp_path):
    """Champions outlive an update of the code: theirs have one final fit, and no members."""
    (tmp_path / "trials.json").write_text(
        '{"search_id": "a", "kind": "classification", "objective": "val_loss", "params": {}, '
        '"data": [], "best": 0, "stopped": false, "trials": [], "earlier": [], "final_fit": null}'
    )
    trials = TRIALS.read(tmp_path)
    assert trials.members == trials.final_fits == () and trials.gain is None
