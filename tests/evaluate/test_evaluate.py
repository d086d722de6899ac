import json
import math

import numpy as np
import pytest

from stages.evaluate.evaluate import evaluate, headline
from stages.evaluate.tables import confusion_table, curves, prediction_table

CLASSES = ["a", "b", "c"]
# Truth a a a a b b c; called a a b a b c c.
LABELS = np.array([0, 0, 0, 0, 1, 1, 2])
CALLED = np.array([0, 0, 1, 0, 1, 2, 2])
SURE = np.where(np.eye(3)[CALLED] == 1, 0.8, 0.1)


def test_values_worked_out_by_hand():
    result = evaluate(LABELS, SURE, CLASSES)
    assert result["n"] == 7
    assert result["accuracy"] == pytest.approx(5 / 7)
    assert result["baseline_accuracy"] == pytest.approx(4 / 7)  # always a
    assert result["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2 + 1) / 3)
    assert result["confusion"] == [[3, 1, 0], [0, 1, 1], [0, 0, 1]]
    assert result["per_class"]["b"] == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 2, "f1": 1 / 2, "support": 2}
    )
    # f1: a 2*3/(4+3), b 1/2, c 2*1/(1+2)
    assert result["macro_f1"] == pytest.approx((6 / 7 + 1 / 2 + 2 / 3) / 3)
    assert result["log_loss"] == pytest.approx(-(5 * math.log(0.8) + 2 * math.log(0.1)) / 7)
    assert result["note"] is None


def test_the_interval_is_wilsons():
    result = evaluate(LABELS, SURE, CLASSES)
    n, p, z = 7, 5 / 7, 1.959964
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert result["accuracy_low"] == pytest.approx(middle - half, abs=1e-5)
    assert result["accuracy_high"] == pytest.approx(middle + half, abs=1e-5)


def test_one_planted_wrong_answer_is_counted_once():
    right = evaluate(LABELS, np.eye(3)[LABELS], CLASSES)
    assert right["accuracy"] == right["balanced_accuracy"] == right["macro_f1"] == 1
    planted = LABELS.copy()
    planted[6] = 0  # the one c, called a
    wrong = evaluate(LABELS, np.eye(3)[planted], CLASSES)
    assert wrong["accuracy"] == pytest.approx(6 / 7)
    assert wrong["per_class"]["c"]["recall"] == 0
    assert wrong["per_class"]["c"]["precision"] is None  # never called c
    assert wrong["confusion"][2] == [1, 0, 0]


def test_a_class_without_pictures_is_said_and_left_out_of_the_means():
    result = evaluate(LABELS[:6], SURE[:6], CLASSES)  # no c, though one picture is called c
    assert result["note"] == "this part has no pictures of c"
    assert result["per_class"]["c"]["recall"] is None
    assert result["per_class"]["c"]["precision"] == 0
    assert result["balanced_accuracy"] == pytest.approx((3 / 4 + 1 / 2) / 2)


def test_an_empty_part_has_a_reason_instead_of_numbers():
    result = evaluate(np.empty(0, np.int64), np.empty((0, 3), np.float32), CLASSES)
    assert result["n"] == 0
    assert result["accuracy"] is None and result["log_loss"] is None
    assert result["note"] == "this part has no pictures"
    assert headline(result)["recall"] == {"a": None, "b": None, "c": None}


@pytest.mark.parametrize("n", [0, 6, 7])
def test_results_are_valid_json(n):
    json.dumps(evaluate(LABELS[:n], SURE[:n], CLASSES), allow_nan=False)


def test_tables():
    table = prediction_table(["x", "y"], "test", LABELS[[2, 5]], SURE[[2, 5]], CLASSES)
    assert list(table) == ["id", "part", "label", "predicted", "p_a", "p_b", "p_c"]
    assert list(table.iloc[0]) == ["x", "test", "a", "b", 0.1, 0.8, 0.1]
    assert confusion_table(table, "test").to_dict("list") == {
        "actual": ["a", "b"],
        "predicted": ["b", "c"],
        "part": ["test", "test"],
    }
    assert confusion_table(table, "wild").empty


def test_curves_are_the_winning_trials():
    def row(epoch, loss):
        return {"epoch": epoch, "time_ms": 1, "loss": loss, "val_loss": loss + 1,
                "accuracy": 0.5, "val_accuracy": 0.25}  # fmt: skip

    trials = [{"trial": 0, "epochs": [row(0, 9)]}, {"trial": 1, "epochs": [row(0, 3), row(1, 2)]}]
    table = curves({"best": 1, "trials": trials})
    assert list(table) == ["trial", "epoch", "loss", "val_loss", "accuracy", "val_accuracy"]
    assert table["trial"].tolist() == [1, 1]
    assert table["val_loss"].tolist() == [4, 3]
