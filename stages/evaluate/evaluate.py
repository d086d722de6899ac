"""How good a network's answers are, how sure one can be of that, and what chance would reach."""

import math
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from stages.common.metrics import BINS, intervals, scores, share_interval

COVERAGES = 50  # points of the accuracy-against-coverage curve
MEASURED = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss", "brier", "ece")


def evaluate(
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: list[str],
    groups: np.ndarray,
    *,
    ordered: bool = False,
    unsure_below: float = 0.0,
    values: np.ndarray | None = None,
    predicted_values: np.ndarray | None = None,
) -> dict[str, Any]:
    """Measure `probabilities`, float (N, K), against `labels`, int (N,) in 0..K-1.

    `groups`, (N,): photos of one group stand and fall together in all intervals, which are 95 %.
    `ordered`: the classes are. `values` and `predicted_values`, float (N,): of a regression; its
    `mae` is None where a photo's number is not known (NaN).

    The result goes into JSON as it is. Beside `stages.common.metrics.scores` and their `intervals`
    it has `accuracy_low` and `accuracy_high`; `baseline_accuracy`: what answering the part's most
    frequent class every time would reach; `reliability`, `coverage` and `unsure` (see the functions
    of these names). `confusion[i][j]` counts pictures of class i called class j. What cannot be
    measured (no picture of a class, or none at all) is None, and `note` says why.
    """
    n, k = len(labels), len(classes)
    known = values is not None and n > 0 and not np.isnan(values).any()
    numbers = {"values": values, "predicted_values": predicted_values} if known else {}
    optional = {"qwk": None, "group_error": None} if ordered else {}
    optional |= {"mae": None} if values is not None else {}
    if not n:
        return {
            "n": 0,
            "groups": 0,
            **dict.fromkeys((*MEASURED, "accuracy_low", "accuracy_high", "baseline_accuracy")),
            **optional,
            "intervals": {},
            "per_class": {name: _ratios(None, None, None) | {"support": 0} for name in classes},
            "confusion": [[0] * k for _ in classes],
            "reliability": [],
            "coverage": [],
            "unsure": unsure(np.empty(0), np.empty(0), groups, unsure_below),
            "note": "this part has no pictures",
        }

    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    right = predicted == labels
    precision, recall, f1, support = precision_recall_fscore_support(
        labels, predicted, labels=range(k), zero_division=np.nan
    )
    absent = [name for name, count in zip(classes, support, strict=True) if not count]
    spread = intervals(labels, probabilities, groups, ordered=ordered, **numbers)
    low, high = spread["accuracy"]
    return {
        "n": n,
        "groups": len(np.unique(groups)),
        **optional,
        **scores(labels, probabilities, ordered=ordered, **numbers),
        "accuracy_low": low,
        "accuracy_high": high,
        "baseline_accuracy": int(support.max()) / n,
        "intervals": {name: list(pair) for name, pair in spread.items()},
        "per_class": {
            name: _ratios(*ratios) | {"support": int(count)}
            for name, *ratios, count in zip(classes, precision, recall, f1, support, strict=True)
        },
        "confusion": confusion_matrix(labels, predicted, labels=range(k)).tolist(),
        "reliability": reliability(confidence, right),
        "coverage": coverage(confidence, right),
        "unsure": unsure(confidence, right, groups, unsure_below),
        "note": f"this part has no pictures of {', '.join(absent)}" if absent else None,
    }


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """The bins of the expected calibration error that have photos: mean confidence, accuracy, n."""
    number = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    return [
        {
            "confidence": float(confidence[number == bin].mean()),
            "accuracy": float(right[number == bin].mean()),
            "n": int((number == bin).sum()),
        }
        for bin in np.unique(number)
    ]


def coverage(confidence: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
    """The accuracy of what is answered when only confidence from `threshold` on is: from all photos
    down to the surest tenth (El-Yaniv and Wiener 2010, "the risk-coverage curve")."""
    n = len(confidence)
    falling = np.sort(confidence)[::-1]
    counts = np.linspace(n, max(1, n / 10), min(n, COVERAGES)).round().astype(int)
    return [_answered(confidence, right, t)[0] for t in np.unique(falling[counts - 1])]


def unsure(
    confidence: np.ndarray, right: np.ndarray, groups: np.ndarray, threshold: float
) -> dict[str, Any]:
    """What remains when answers below `threshold` are "unsure": coverage, and accuracy with its
    interval."""
    row, answered = _answered(confidence, right, threshold)
    low, high = share_interval(right[answered], groups[answered]) if row["n"] else (None, None)
    return row | {"low": low, "high": high}


def _answered(
    confidence: np.ndarray, right: np.ndarray, threshold: float
) -> tuple[dict[str, Any], np.ndarray]:
    answered = confidence >= threshold
    return {
        "threshold": float(threshold),
        "coverage": float(answered.mean()) if len(answered) else None,
        "accuracy": float(right[answered].mean()) if answered.any() else None,
        "n": int(answered.sum()),
    }, answered


def headline(result: dict[str, Any]) -> dict[str, Any]:
    """The few numbers of an `evaluate` result that `dvc metrics show` prints."""
    shown: dict[str, Any] = {"n": result["n"]}
    for name in ("accuracy", "balanced_accuracy"):
        low, high = result["intervals"].get(name, (None, None))
        shown |= {name: result[name], f"{name}_low": low, f"{name}_high": high}
    for name in ("baseline_accuracy", "macro_f1", "log_loss", "ece", "qwk", "group_error", "mae"):
        if name in result:
            shown[name] = result[name]
    shown |= {f"unsure_{name}": result["unsure"][name] for name in ("coverage", "accuracy")}
    recall = {name: _short(values["recall"]) for name, values in result["per_class"].items()}
    return {name: _short(value) for name, value in shown.items()} | {"recall": recall}


def _ratios(*values: float | None) -> dict[str, float | None]:
    known = [None if v is None or math.isnan(v) else float(v) for v in values]
    return dict(zip(("precision", "recall", "f1"), known, strict=True))


def _short(value: float | None) -> float | None:
    return round(value, 4) if isinstance(value, float) else value
