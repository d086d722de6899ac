import re

import pandas as pd
import pytest

from stages.report.bars import bar
from stages.report.headline import headline, mae_baseline
from stages.report.regression import numbers
from stages.report.trust import coverage, reliability, slices


def exam(**more):
    support = {"a": {"support": 6}, "b": {"support": 4}, "c": {"support": 0}}
    return {"n": 10, "accuracy": 0.8, "accuracy_low": 0.5, "accuracy_high": 0.9,
            "baseline_accuracy": 0.6, "balanced_accuracy": 0.75, "mae_baseline": None,
            "intervals": {"balanced_accuracy": [0.4, 0.95]},
            "per_class": support} | more  # fmt: skip


def where(path):
    return [tuple(map(float, point)) for point in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_a_bar_stands_where_its_numbers_are():
    drawn = bar(5, 4, 8, tick=10, top=10, text=str)
    assert (drawn["at"], drawn["low"], drawn["width"], drawn["tick"]) == (50, 40, 40, 100)
    assert drawn["words"] == "5, 95% interval 4 to 8; chance 10"
    assert bar(2, 0, 3)["at"] == 100  # never beyond the line


def test_both_accuracies_have_their_interval_and_chance():
    accuracy, balanced = headline(exam())["bars"]
    assert (accuracy["interval"], accuracy["bar"]["tick"]) == ("50% to 90%", 60)
    assert (balanced["interval"], balanced["bar"]["tick"]) == ("40% to 95%", 50)  # two classes


def test_an_error_is_drawn_against_what_knows_no_photo():
    told = exam(mae=5.0, mae_baseline=10.0, intervals={"mae": [4.0, 8.0]})
    shown = headline(told)
    assert (shown["text"], shown["chance"], shown["ends"]) == (
        "5.0",
        "10.0",
        ["0.0", "6.2", "12.5"],
    )
    [error] = shown["bars"]
    assert (error["bar"]["at"], error["bar"]["tick"], error["bar"]["level"]) == (40, 80, "good")


def test_without_the_numbers_of_all_photos_a_regression_is_told_by_its_classes():
    shown = headline(exam(mae=None))
    assert not shown["numbers"] and shown["name"] == "accuracy"


def test_numbers_are_drawn_where_they_are_known_and_predicted():
    rows = [("test", "a", "10", "20"), ("test", "a", "", "5"), ("wild", "a", "30", "40")]
    said = pd.DataFrame(rows, columns=["part", "label", "value", "predicted_value"])
    found = numbers(said, "test", {"a": {"title": "A", "hue": 1}, "b": {"title": "B", "hue": 2}})
    assert found["rows"] == [{"name": "a", "n": 1, "mae": 10, "bias": 10}]
    ticks = [float(tick["text"]) for tick in found["chart"]["x"]]
    x, y = (100 * (v - ticks[0]) / (ticks[-1] - ticks[0]) for v in (10, 20))
    assert where(found["chart"]["lines"][1]["path"]) == [(round(x, 2), round(100 - y, 2))]
    assert numbers(said.assign(predicted_value=""), "test", {}) is None  # a classifier


def test_what_knows_no_photo_names_the_most_central_number():
    values = ["0", "10", "80", "", "50"]
    said = pd.DataFrame({"part": ["test"] * 4 + ["wild"], "value": values})
    assert mae_baseline(said, "test") == (10 + 0 + 70) / 3
    assert mae_baseline(said, "val") is None


def test_dots_stand_at_confidence_and_accuracy_and_grow_with_photos():
    bins = [
        {"confidence": 0.25, "accuracy": 0.5, "n": 4},
        {"confidence": 0.5, "accuracy": None, "n": 0},
        {"confidence": 0.75, "accuracy": 1.0, "n": 16},
    ]
    ideal, small, large = reliability("test", exam(reliability=bins))["lines"]
    assert where(ideal["path"]) == [(0, 100), (100, 0)]
    assert where(small["path"]) == [(25, 50)] and where(large["path"]) == [(75, 0)]
    widths = [int(re.search(r"stroke-width:(\d+)", m["style"])[1]) for m in (small, large)]
    assert widths[1] == 2 * widths[0]  # four times the photos, four times the area


def test_the_threshold_is_marked_on_the_curve():
    rows = [{"threshold": t, "coverage": c, "accuracy": a, "n": 1}
            for t, c, a in ((0.2, 1.0, 0.5), (0.9, 0.5, 1.0))]  # fmt: skip
    unsure = {"threshold": 0.9, "coverage": 0.5, "accuracy": 1.0, "low": 0, "high": 1, "n": 5}
    nothing = {"n": 0, "coverage": None, "unsure": None}
    curve, dot = coverage({"test": exam(coverage=rows, unsure=unsure), "wild": nothing})["lines"]
    assert [x for x, _ in where(curve["path"])] == [50, 100]
    assert where(dot["path"]) == [where(curve["path"])[0]]
    assert coverage({"test": nothing, "wild": nothing}) is None


@pytest.mark.parametrize(
    ("low", "high", "judged"), [(-0.4, -0.1, "worse"), (0.1, 0.4, "better"), (-0.3, 0.1, "")]
)
def test_a_gap_is_more_than_luck_where_its_interval_leaves_out_zero(low, high, judged):
    row = {"column": "flags", "value": "blur", "n": 9, "groups": 5, "accuracy": 0.5, "low": 0.2,
           "high": 0.8, "gap": (low + high) / 2, "gap_low": low, "gap_high": high}  # fmt: skip
    [shown] = slices(exam(slices=[row]))
    assert shown["judged"] == judged


def test_an_exam_without_photos_has_no_slices():
    assert slices({"n": 0, "slices": None}) == slices({"n": 0}) == []
