from msgspec.structs import replace

from stages.records.baselines import Baseline
from stages.records.predictions import BaselinePrediction
from stages.records.promotion import Event
from stages.report.promotion import baseline_rows, gates, history, systems
from tests.report.made import decision, gate, standing


def test_baselines_have_what_they_reach_on_val():
    rows = [("hog", "val", "a", "a"), ("hog", "val", "b", "a"), ("hog", "test", "a", "b")]
    said = [
        BaselinePrediction(model, str(n), part, label, predicted, {})
        for n, (model, part, label, predicted) in enumerate(rows)
    ]
    hog = Baseline(
        name="hog",
        kind="classical",
        about="",
        seconds=1,
        parameters=2,
        weights="none",
        hyperparameters={},
        epochs=(),
        started_ms=0,
        ended_ms=1,
        error=None,
    )
    silent = replace(hog, name="age_vgg16")  # it has no answers
    assert [row.val_accuracy for row in baseline_rows([hog, silent], said)] == [0.5, None]


def test_a_gate_without_a_figure_was_not_judged_unless_it_is_closed():
    shown = [(True, 0.5), (True, None), (False, 0.5), (False, None)]
    of = decision(*(gate(passed=passed, value=value) for passed, value in shown))
    judged = [row.judged for row in gates(of)]
    assert judged == ["passed", "not judged", "not passed", "not passed"]


def test_history_begins_with_the_latest():
    event = Event(
        time="2026-01-02T03:04:05+00:00",
        event="champion",
        network="abc",
        data={"train": "0123456789"},
        reason="",
    )
    later = replace(event, time="2026-02-02T03:04:05+00:00")
    shown = history([event, later])
    assert [e.time for e in shown] == ["2026-02-02 03:04", "2026-01-02 03:04"]
    assert shown[0].data == {"train": "01234567"}


def test_a_systems_tick_is_what_the_most_frequent_class_reaches():
    judged = {
        "test_balanced_accuracy": 0.75,
        "test_balanced_accuracy_low": 0.5,
        "test_balanced_accuracy_high": 1.0,
    }
    new = standing("new", "search winner", **judged)
    simple = standing("majority", "majority", **judged | {"test_balanced_accuracy": 0.5})
    majority, winner = systems([simple, new])
    assert winner.wild is None and winner.test and majority.test
    assert (winner.test.bar.at, winner.test.bar.tick, winner.test.bar.level) == (75, 50, "ours")
    assert majority.test.bar.level == "plain"
