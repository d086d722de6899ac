import pandas as pd

from stages.report.promotion import baseline_rows, gates, history


def test_baselines_stand_beside_the_trials_with_what_they_reach_on_val():
    rows = [("hog", "val", "a", "a"), ("hog", "val", "b", "a"), ("hog", "test", "a", "b")]
    said = pd.DataFrame(rows, columns=["model", "part", "label", "predicted"])
    hog = {"name": "hog", "kind": "classical", "about": "", "weights": "none", "epochs": [],
           "seconds": 1, "parameters": 2}  # fmt: skip
    silent = hog | {"name": "age_vgg16"}  # it has no answers
    assert [row["val_accuracy"] for row in baseline_rows([hog, silent], said)] == [0.5, None]


def test_a_gate_without_a_figure_was_not_judged_unless_it_is_closed():
    told = [(True, 0.5), (True, None), (False, 0.5), (False, None)]
    promotion = {"gates": [{"passed": passed, "value": value} for passed, value in told]}
    judged = [gate["judged"] for gate in gates(promotion)]
    assert judged == ["passed", "not judged", "not passed", "not passed"]


def test_history_begins_with_the_latest():
    event = {"time": "2026-01-02T03:04:05+00:00", "data": {"train": "0123456789"}}
    later = event | {"time": "2026-02-02T03:04:05+00:00"}
    shown = history([event, later])
    assert [e["time"] for e in shown] == ["2026-02-02 03:04", "2026-01-02 03:04"]
    assert shown[0]["data"] == {"train": "01234567"}
