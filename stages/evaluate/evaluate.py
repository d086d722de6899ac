"""How good a network's answers are, how sure one can be of that, and what chance would reach."""

import numpy as np

from stages.networks.metrics import BINS, intervals, scores, share_interval
from stages.records.evaluation import ClassScores, Coverage, Exam, Headline, ReliabilityBin

COVERAGES = 50  # points of the accuracy-against-coverage curve


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
    within: float | None = None,
) -> Exam:
    """Measure `probabilities`, float (N, K), against `labels`, int (N,) in 0..K-1.

    `groups`, (N,): photos of one group are resampled together in all intervals, which are 95 %.
    `ordered`: the classes have an order. `values` and `predicted_values`, float (N,): the true and
    the estimated numbers; `within`: half the width of their ranges. `mae` and `in_range` need every
    photo's number (none is NaN).

    What cannot be measured (no picture of a class, or none at all) is None, and `note` says why.
    `slices` and `explanations` are left empty.
    """
    n, predicted, confidence = len(labels), probabilities.argmax(1), probabilities.max(1)
    right = predicted == labels
    confusion = np.zeros((len(classes), len(classes)), int)
    np.add.at(confusion, (labels, predicted), 1)
    support = confusion.sum(1)
    numbers, in_range = {}, None
    if values is not None and n and not np.isnan(values).any():
        numbers = {"values": values, "predicted_values": predicted_values}
        if within is not None:
            in_range = np.abs(values - predicted_values) <= within
    spread = intervals(labels, probabilities, groups, ordered=ordered, **numbers)
    if in_range is not None:
        spread["in_range"] = share_interval(in_range, groups)
    low, high = spread.get("accuracy", (None, None))
    return Exam(
        n=n,
        groups=len(np.unique(groups)),
        **scores(labels, probabilities, ordered=ordered, **numbers),
        accuracy_low=low,
        accuracy_high=high,
        in_range=None if in_range is None else float(in_range.mean()),
        baseline_accuracy=int(support.max()) / n if n else None,
        intervals=spread,
        per_class=dict(zip(classes, _per_class(confusion), strict=True)),
        confusion=confusion.tolist(),
        reliability=reliability(confidence, right),
        coverage=coverage(confidence, right),
        unsure=unsure(confidence, right, groups, unsure_below),
        note=_note([name for name, count in zip(classes, support, strict=True) if not count], n),
        slices=[],
        explanations=None,
    )


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[ReliabilityBin]:
    """Of the bins of the expected calibration error, those that have photos."""
    number = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    return [
        ReliabilityBin(
            confidence=float(confidence[number == bin].mean()),
            accuracy=float(right[number == bin].mean()),
            n=int((number == bin).sum()),
        )
        for bin in np.unique(number)
    ]


def coverage(confidence: np.ndarray, right: np.ndarray) -> list[Coverage]:
    """The accuracy of the answers whose confidence is `threshold` or more, for thresholds that keep
    from all photos down to the surest tenth (El-Yaniv and Wiener 2010, the risk-coverage curve).
    """
    n = len(confidence)
    falling = np.sort(confidence)[::-1]
    counts = np.linspace(n, max(1, n / 10), min(n, COVERAGES)).round().astype(int)
    return [_answered(confidence, right, each) for each in np.unique(falling[counts - 1])]


def unsure(
    confidence: np.ndarray, right: np.ndarray, groups: np.ndarray, threshold: float
) -> Coverage:
    """What remains when answers below `threshold` are "unsure", with the accuracy's interval."""
    answered = confidence >= threshold
    interval = share_interval(right[answered], groups[answered]) if answered.any() else None
    return _answered(confidence, right, threshold, interval)


def headline(exam: Exam) -> Headline:
    """The few numbers of an exam that `dvc metrics show` prints."""
    low, high = exam.intervals.get("balanced_accuracy", (None, None))
    mae_low, mae_high = exam.intervals.get("mae", (None, None))
    return Headline(
        n=exam.n,
        accuracy=_short(exam.accuracy),
        accuracy_low=_short(exam.accuracy_low),
        accuracy_high=_short(exam.accuracy_high),
        balanced_accuracy=_short(exam.balanced_accuracy),
        balanced_accuracy_low=_short(low),
        balanced_accuracy_high=_short(high),
        baseline_accuracy=_short(exam.baseline_accuracy),
        macro_f1=_short(exam.macro_f1),
        log_loss=_short(exam.log_loss),
        ece=_short(exam.ece),
        qwk=_short(exam.qwk),
        group_error=_short(exam.group_error),
        mae=_short(exam.mae),
        mae_low=_short(mae_low),
        mae_high=_short(mae_high),
        in_range=_short(exam.in_range),
        unsure_coverage=_short(exam.unsure.coverage),
        unsure_accuracy=_short(exam.unsure.accuracy),
        recall={name: _short(each.recall) for name, each in exam.per_class.items()},
    )


def _answered(
    confidence: np.ndarray,
    right: np.ndarray,
    threshold: float,
    interval: tuple[float, float] | None = None,
) -> Coverage:
    answered = confidence >= threshold
    low, high = interval or (None, None)
    return Coverage(
        threshold=float(threshold),
        coverage=float(answered.mean()) if len(answered) else None,
        accuracy=float(right[answered].mean()) if answered.any() else None,
        n=int(answered.sum()),
        low=low,
        high=high,
    )


def _per_class(confusion: np.ndarray) -> list[ClassScores]:
    found = zip(confusion.diagonal(), confusion.sum(0), confusion.sum(1), strict=True)
    return [
        ClassScores(
            precision=_ratio(hits, called),
            recall=_ratio(hits, support),
            f1=_ratio(2 * hits, called + support),
            support=int(support),
        )
        for hits, called, support in found
    ]


def _note(absent: list[str], n: int) -> str | None:
    if not n:
        return "this part has no pictures"
    return f"this part has no pictures of {', '.join(absent)}" if absent else None


def _ratio(a: int, b: int) -> float | None:
    return float(a / b) if b else None


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
