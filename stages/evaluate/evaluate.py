"""How good a classifier's probabilities are, told with what chance alone would reach."""

import math
from typing import Any

import numpy as np
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, log_loss, precision_recall_fscore_support

HEADLINE = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "baseline_accuracy")


def evaluate(labels: np.ndarray, probabilities: np.ndarray, classes: list[str]) -> dict[str, Any]:
    """Measure `probabilities`, float (N, K), against `labels`, int (N,) in 0..K-1.

    The result goes into JSON as it is. Beside the usual it has `accuracy_low` and `accuracy_high`,
    the 95 % Wilson interval, and `baseline_accuracy`: what answering the part's most frequent class
    every time would reach. `confusion[i][j]` counts pictures of class i called class j.
    Balanced accuracy and macro F1 are means over the classes that have pictures. What cannot be
    measured (no picture of a class, or none at all) is None, and `note` says why.
    """
    n, k = len(labels), len(classes)
    predicted = probabilities.argmax(1)
    if not n:
        per_class = {name: _ratios(None, None, None) | {"support": 0} for name in classes}
        unknown = dict.fromkeys((*HEADLINE, "accuracy_low", "accuracy_high"))
        note = "this part has no pictures"
        confusion = [[0] * k for _ in classes]
        return {"n": 0, **unknown, "per_class": per_class, "confusion": confusion, "note": note}

    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=range(k), zero_division=np.nan
    )
    present = support > 0
    hits = int((predicted == labels).sum())
    interval = binomtest(hits, n).proportion_ci(0.95, "wilson")
    absent = [name for name, there in zip(classes, present, strict=True) if not there]
    return {
        "n": n,
        "accuracy": hits / n,
        "accuracy_low": float(interval.low),
        "accuracy_high": float(interval.high),
        "baseline_accuracy": int(support.max()) / n,
        "balanced_accuracy": float(recall[present].mean()),
        "macro_f1": float(f1[present].mean()),
        "log_loss": float(log_loss(labels, probabilities, labels=range(k))),
        "per_class": {
            name: _ratios(*values) | {"support": int(count)}
            for name, *values, count in zip(classes, precision, recall, f1, support, strict=True)
        },
        "confusion": confusion_matrix(labels, predicted, labels=range(k)).tolist(),
        "note": f"this part has no pictures of {', '.join(absent)}" if absent else None,
    }


def headline(result: dict[str, Any]) -> dict[str, Any]:
    """The few numbers of an `evaluate` result that `dvc metrics show` prints."""
    recall = {name: values["recall"] for name, values in result["per_class"].items()}
    shown = {"n": result["n"]} | {key: _short(result[key]) for key in HEADLINE}
    return shown | {"recall": {name: _short(value) for name, value in recall.items()}}


def _ratios(*values: float | None) -> dict[str, float | None]:
    known = [None if v is None or math.isnan(v) else float(v) for v in values]
    return dict(zip(("precision", "recall", "f1"), known, strict=True))


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
