import re

import pytest

from stages.records.evaluation import Coverage, ReliabilityBin, Slice
from stages.records.predictions import Prediction
from stages.report.bars import bar
from stages.report.classes import Class
from stages.report.headline import headline
from stages.report.regression import ClassError, numbers
from stages.report.result import median_error, result
from stages.report.trust import coverage, reliability, slices
from tests.report.made import exam

JUDGED = {
    "accuracy": 0.8,
    "baseline_accuracy": 0.6,
    "balanced_accuracy": 0.75,
    "intervals": {"accuracy": (0.5, 0.9), "balanced_accuracy": (0.4, 0.95)},
}


def prediction(part, label, value, predicted_value):
    return Prediction(
        id="1",
        part=part,
        label=label,
        predicted=label,
        confidence=1.0,
        answer=label,
        group="1",
        value=value,
        predicted_value=predicted_value,
        probabilities={},
    )


def where(path):
    return [tuple(map(float, point)) for point in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_a_bar_is_where_its_numbers_are():
    drawn = bar(5, 4, 8, tick=10, top=10, text=str)
    assert (drawn.at, drawn.low, drawn.width, drawn.tick) == (50, 40, 40, 100)
    assert drawn.words == "5, 95% interval 4 to 8; chance 10"
    assert bar(2, 0, 3).at == 100  # never beyond the line


def test_both_accuracies_have_their_interval_and_chance():
    accuracy, balanced = headline(result(exam(**JUDGED))).lines
    assert (accuracy.interval, accuracy.bar.tick) == ("50% to 90%", 60)
    assert (balanced.interval, balanced.bar.tick) == ("40% to 95%", 50)  # two classes


def test_an_error_is_drawn_against_what_knows_no_photo():
    intervals = JUDGED["intervals"] | {"mae": (4.0, 8.0)}
    shown = headline(result(exam(**JUDGED | {"mae": 5.0, "intervals": intervals}), 10.0))
    [error] = shown.lines
    assert (error.text, shown.chance, shown.ends) == ("5.0", "10.0", ["0.0", "6.2", "12.5"])
    assert (error.bar.at, error.bar.tick, error.bar.level) == (40, 80, "good")


def test_without_the_numbers_of_all_photos_a_regression_is_judged_by_its_classes():
    shown = headline(result(exam(**JUDGED | {"mae": None}), 10.0))
    assert not shown.numbers and shown.lines[0].name == "accuracy"


def test_numbers_are_drawn_where_they_are_known_and_predicted():
    rows = [("test", "a", 10.0, 20.0), ("test", "a", None, 5.0), ("wild", "a", 30.0, 40.0)]
    said = [prediction(*row) for row in rows]
    found = numbers(said, "test", {"a": Class("A", 1), "b": Class("B", 2)})
    assert found.rows == [ClassError("a", n=1, mae=10, bias=10)]
    ticks = [float(tick.text) for tick in found.chart.x]
    x, y = (100 * (v - ticks[0]) / (ticks[-1] - ticks[0]) for v in (10, 20))
    assert where(found.chart.lines[1].path) == [(round(x, 2), round(100 - y, 2))]
    classifier = [prediction(*row[:3], None) for row in rows]
    assert numbers(classifier, "test", {}) is None


def test_what_knows_no_photo_names_the_most_central_number():
    said = [prediction("test", "a", value, None) for value in (0.0, 10.0, 80.0, None)]
    said.append(prediction("wild", "a", 50.0, None))
    assert median_error(said, "test") == (10 + 0 + 70) / 3
    assert median_error(said, "val") is None


def test_dots_are_at_confidence_and_accuracy_and_grow_with_photos():
    bins = [ReliabilityBin(0.25, 0.5, 4), ReliabilityBin(0.75, 1.0, 16)]
    ideal, small, large = reliability("test", exam(reliability=bins)).lines
    assert where(ideal.path) == [(0, 100), (100, 0)]
    assert where(small.path) == [(25, 50)] and where(large.path) == [(75, 0)]
    assert large.width == 2 * small.width  # four times the photos, four times the area
    assert large.style == f"stroke-width:{large.width};"


def test_the_threshold_is_marked_on_the_curve():
    rows = [Coverage(0.2, 1.0, 0.5, n=10), Coverage(0.9, 0.5, 1.0, n=5)]
    asked = exam(coverage=rows, unsure=Coverage(0.9, 0.5, 1.0, n=5, low=0, high=1))
    curve, dot = coverage({"test": asked, "wild": exam(0)}).lines
    assert [x for x, _ in where(curve.path)] == [50, 100]
    assert where(dot.path) == [where(curve.path)[0]]
    assert coverage({"test": exam(0), "wild": exam(0)}) is None


@pytest.mark.parametrize(
    ("low", "high", "judged"), [(-0.4, -0.1, "worse"), (0.1, 0.4, "better"), (-0.3, 0.1, "")]
)
def test_a_gap_is_more_than_luck_where_its_interval_leaves_out_zero(low, high, judged):
    row = Slice(
        column="flags",
        value="blur",
        n=9,
        groups=5,
        accuracy=0.5,
        low=0.2,
        high=0.8,
        gap=(low + high) / 2,
        gap_low=low,
        gap_high=high,
    )
    [shown] = slices(exam(slices=[row]))
    assert shown.judged == judged


def test_an_exam_without_photos_has_no_slices():
    assert slices(exam(0)) == []
