import json
import math

import numpy as np
import pytest
from msgspec.structs import replace

from stages.evaluate.evaluate import evaluate, headline
from stages.evaluate.tables import calls, curves, predictions
from stages.networks.part import Part
from stages.records.evaluation import CURVES, METRICS, Call, ClassScores, Coverage, Exam
from stages.records.json_file import JsonFile
from stages.records.predictions import PREDICTIONS
from stages.records.shards import InMemory
from stages.records.trials import Epoch
from tests.evaluate.searched import attempt, finished

CLASSES = ["a", "b", "c"]
# Truth a a a a b b c; called a a b a b c c.
LABELS = np.array([0, 0, 0, 0, 1, 1, 2])
CALLED = np.array([0, 0, 1, 0, 1, 2, 2])
SURE = np.where(np.eye(3)[CALLED] == 1, 0.8, 0.1)
GROUPS = np.array(["p", "p", "q", "r", "s", "s", "t"])


def test_values_worked_out_by_hand():
    result = evaluate(LABELS, SURE, CLASSES, GROUPS, ordered=True)
    assert result.n == 7 and result.groups == 5
    assert result.accuracy == pytest.approx(5 / 7)
    assert result.baseline_accuracy == pytest.approx(4 / 7)  # always a
    assert result.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2 + 1) / 3)
    assert result.confusion == [[3, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert result.per_class["b"] == ClassScores(precision=1 / 2, recall=1 / 2, f1=1 / 2, support=2)
    # f1: a 2*3/(4+3), b 1/2, c 2*1/(1+2)
    assert result.macro_f1 == pytest.approx((6 / 7 + 1 / 2 + 2 / 3) / 3)
    assert result.log_loss == pytest.approx(-(5 * math.log(0.8) + 2 * math.log(0.1)) / 7)
    assert result.group_error == pytest.approx(2 / 7)
    assert result.ece == pytest.approx(0.8 - 5 / 7)
    [bin] = result.reliability
    assert (bin.confidence, bin.accuracy) == pytest.approx((0.8, 5 / 7)) and bin.n == 7
    assert (result.accuracy_low, result.accuracy_high) == result.intervals["accuracy"]
    assert result.note is None


def test_each_bin_of_confidence_has_its_own_accuracy():
    sure = np.array([[0.95, 0.05, 0], [0.95, 0.05, 0], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]])
    result = evaluate(np.array([0, 0, 0, 1]), sure, CLASSES, np.arange(4))
    bins = [(bin.confidence, bin.accuracy, bin.n) for bin in result.reliability]
    assert bins == [(0.5, 0.5, 2), (0.95, 1, 2)]


def test_the_headline_has_the_intervals_of_its_figures():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 90)
    called = np.where(rng.random(90) < 0.3 + 0.3 * labels / 2, labels, 0)  # recalls differ
    numbers = {"values": labels * 1.0, "predicted_values": labels + rng.normal(0, 1, 90)}
    sure = np.where(np.eye(3)[called] == 1, 0.8, 0.1)
    exam = evaluate(labels, sure, CLASSES, np.arange(90), **numbers)
    found = headline(exam)
    for name in ("accuracy", "balanced_accuracy", "mae"):
        low, high = getattr(found, f"{name}_low"), getattr(found, f"{name}_high")
        assert low < getattr(found, name) < high
        assert (low, high) == pytest.approx(exam.intervals[name], abs=1e-4)
    assert found.accuracy_low != found.balanced_accuracy_low != found.mae_low


def test_one_planted_wrong_answer_is_counted_once():
    right = evaluate(LABELS, np.eye(3)[LABELS], CLASSES, GROUPS)
    assert right.accuracy == right.balanced_accuracy == right.macro_f1 == 1
    planted = LABELS.copy()
    planted[6] = 0  # the one c, called a
    wrong = evaluate(LABELS, np.eye(3)[planted], CLASSES, GROUPS)
    assert wrong.accuracy == pytest.approx(6 / 7)
    assert wrong.per_class["c"].recall == 0
    assert wrong.per_class["c"].precision is None  # never called c
    assert wrong.confusion[2] == [1, 0, 0]


def test_a_class_without_pictures_is_said_and_left_out_of_the_means():
    # no c, though one picture is called c
    result = evaluate(LABELS[:6], SURE[:6], CLASSES, GROUPS[:6])
    assert result.note == "this part has no pictures of c"
    assert result.per_class["c"].recall is None
    assert result.per_class["c"].precision == 0
    assert result.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_an_empty_part_has_a_reason_instead_of_numbers():
    result = evaluate(np.empty(0, np.int64), np.empty((0, 3)), CLASSES, np.empty(0), ordered=True)
    assert result.n == result.groups == 0
    assert result.accuracy is None and result.log_loss is None and result.qwk is None
    assert result.coverage == [] and result.unsure.coverage is None
    assert result.note == "this part has no pictures"
    assert headline(result).recall == {"a": None, "b": None, "c": None}


@pytest.mark.parametrize("n", [0, 1, 6, 7])
def test_results_are_valid_json_with_the_same_keys(n, tmp_path):
    numbers = {"values": np.arange(n) * 1.0, "predicted_values": np.ones(n)}
    result = evaluate(LABELS[:n], SURE[:n], CLASSES, GROUPS[:n], ordered=True, **numbers)
    METRICS.write(tmp_path, {"test": headline(result)})
    assert METRICS.read(tmp_path) == {"test": headline(result)}
    exams = JsonFile("exams.json", list[Exam])
    exams.write(tmp_path, [result])
    assert exams.read(tmp_path) == [result]
    [keys] = json.loads((tmp_path / "exams.json").read_text())
    assert set(keys) == set(Exam.__struct_fields__)


def test_an_unsure_network_answers_fewer_and_better():
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.55, 0.45], [0.45, 0.55]])
    result = evaluate(
        np.array([0, 0, 1, 1]), probabilities, ["a", "b"], np.arange(4), unsure_below=0.6
    )
    assert result.unsure.low == pytest.approx(0.025 ** (1 / 2))
    expected = Coverage(threshold=0.6, coverage=0.5, n=2, accuracy=1.0, high=1.0)
    assert replace(result.unsure, low=None) == expected
    curve = {row.coverage: row.accuracy for row in result.coverage}
    assert curve == {1.0: 0.75, 0.5: 1.0, 0.25: 1.0}  # two are equally sure: both or none
    nobody = evaluate(
        np.array([0, 0, 1, 1]), probabilities, ["a", "b"], np.arange(4), unsure_below=0.95
    )
    assert nobody.unsure.coverage == 0 and nobody.unsure.accuracy is None


def test_the_mean_absolute_error_needs_every_number():
    values = np.array([1.0, 2, 3, 4, 5, 6, 7])
    numbers = {"values": values, "predicted_values": values + 2}
    result = evaluate(LABELS, SURE, CLASSES, GROUPS, **numbers)
    assert result.mae == 2 and result.intervals["mae"] == (2, 2)
    values[3] = np.nan
    without = evaluate(LABELS, SURE, CLASSES, GROUPS, within=3, **numbers)
    assert without.mae is None and without.in_range is None
    assert not {"mae", "in_range"} & set(without.intervals)


def test_tables(tmp_path):
    labels, values = LABELS[[2, 5]], np.array([17, np.nan])
    pictures = InMemory(np.empty((2, 1, 1, 3), np.uint8))
    part = Part("test", pictures, labels, ["x", "y"], np.array(["p", "q"]), values)
    found = SURE[[2, 5]] - [[0, 0, 0], [0, 0, 0.3]]
    rows = predictions(part, found, CLASSES, unsure_below=0.6, predicted_values=None)
    PREDICTIONS.write(tmp_path, rows)
    header, first, _ = (tmp_path / "predictions.csv").read_text().splitlines()
    assert header.split(",") == [
        *("id", "part", "label", "predicted", "confidence", "answer", "group", "value"),
        *("predicted_value", "p_a", "p_b", "p_c"),
    ]
    assert first == "x,test,a,b,0.8,b,p,17,,0.1,0.8,0.1"
    assert rows[1].answer == "unsure" and rows[1].predicted == "c"
    assert calls(rows, "test") == [Call("a", "b", "test"), Call("b", "c", "test")]
    assert calls(rows, "wild") == []


@pytest.mark.parametrize("metric", ["accuracy", "mae"])
def test_curves_are_the_winning_trials(metric, tmp_path):
    def row(epoch, loss):
        measured = {metric: 0.5, f"val_{metric}": 0.25}
        return Epoch(epoch=epoch, time_ms=1, loss=loss, val_loss=loss + 1, **measured)

    trials = finished(attempt(0, (row(0, 9),)), attempt(1, (row(0, 3), row(1, 2))))
    CURVES.write(tmp_path, curves(trials))
    table = CURVES.frame(tmp_path)
    assert list(table) == ["trial", "epoch", "loss", "val_loss", metric, f"val_{metric}"]
    assert table["trial"].tolist() == [1, 1]
    assert table["val_loss"].tolist() == [4, 3]
