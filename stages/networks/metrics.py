"""How good answers are, and how sure one can be of that.

Intervals come from resampling whole groups (one person, one cluster of duplicates). Photos of one
person get similar answers, so intervals from resampled photos would be too narrow (Field and Welsh,
2007, https://doi.org/10.1111/j.1467-9868.2007.00593.x).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BINS = 15  # of equal width, for the expected calibration error
SHARES = ("accuracy", "balanced_accuracy", "macro_f1")
LEVEL = 0.95  # of all intervals
RESAMPLES = 2000
SEED = 0
CHUNK_BYTES = 64 << 20  # weights of resampled photos in memory at a time


@dataclass(frozen=True)
class Difference:
    """One system's metric minus another's on the same photos."""

    value: float
    low: float  # percentile interval over resampled groups
    high: float


def scores(
    labels: np.ndarray,
    probabilities: np.ndarray,
    *,
    ordered: bool = False,
    values: np.ndarray | None = None,
    predicted_values: np.ndarray | None = None,
) -> dict[str, float | None]:
    """Measure `probabilities`, float (N, K), against `labels`, int (N,) in 0..K-1.

    accuracy, balanced_accuracy and macro_f1 (means over the classes that have photos), log_loss,
    brier (sum over classes, Brier 1950), ece (expected calibration error, 15 bins of equal width,
    Guo et al. 2017). For `ordered` classes also qwk (quadratic-weighted kappa, Cohen 1968) and
    group_error (mean distance in classes). With `values`, float (N,), also mae, in their unit.
    All are None where there is no photo.
    """
    facts = _facts(labels, probabilities, ordered, values, predicted_values)
    found = _metrics(np.ones((1, len(labels))), facts)
    return {name: None if np.isnan(value[0]) else float(value[0]) for name, value in found.items()}


def intervals(
    labels: np.ndarray,
    probabilities: np.ndarray,
    groups: np.ndarray,
    *,
    ordered: bool = False,
    values: np.ndarray | None = None,
    predicted_values: np.ndarray | None = None,
) -> dict[str, tuple[float, float]]:
    """The percentile interval of each of `scores`, over resampled `groups`, (N,) of anything that
    sorts. Empty if there is no photo. Shares of 0 or 1 are treated as in `share_interval`."""
    if not len(labels):
        return {}
    facts = _facts(labels, probabilities, ordered, values, predicted_values)
    chunks = [_metrics(weights, facts) for weights in resampled(groups, RESAMPLES, SEED)]
    found = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    # The fewer different photos a bin has, the larger its error. A resample has fewer than the
    # part, so its error is too large by about `excess`; without the correction, the percentiles
    # often miss the part's own error.
    excess = found["ece"].mean() - _metrics(np.ones((1, len(labels))), facts)["ece"]
    found["ece"] = np.maximum(found["ece"] - excess, 0)
    spread = {name: _percentiles(each) for name, each in found.items() if not np.isnan(each).all()}
    return spread | {name: _never_certain(*spread[name], groups) for name in SHARES}


def share_interval(shares: np.ndarray, groups: np.ndarray) -> tuple[float, float]:
    """The percentile interval, over resampled `groups` (N,), of the mean of `shares`, (N,) in 0..1.

    Where all are 0, or all 1, every resample has the same mean, but eight right answers of eight do
    not prove that all answers are right. Then one end is the exact one of Clopper and Pearson
    (1934), for as many trials as there are groups. Raises ValueError if there is no photo.
    """
    if not len(shares):
        raise ValueError("there is no photo to take a mean of")
    shares = np.asarray(shares, np.float64)
    chunks = resampled(groups, RESAMPLES, SEED)
    found = np.concatenate([weights @ shares / weights.sum(1) for weights in chunks])
    return _never_certain(*_percentiles(found), groups)


def paired_difference(
    labels: np.ndarray, a: np.ndarray, b: np.ndarray, groups: np.ndarray
) -> Difference:
    """The balanced accuracy of `a` minus that of `b`.

    `a`, `b`: labels that two systems predict for the same photos, int (N,); -1 is no answer, which
    is wrong. Raises ValueError if there is no photo.
    """
    if not len(labels):
        raise ValueError("there is no photo to compare two systems on")
    labels = np.asarray(labels)

    def gain(weights: np.ndarray) -> np.ndarray:
        return _balanced(weights, labels, a == labels) - _balanced(weights, labels, b == labels)

    value = float(gain(np.ones((1, len(labels))))[0])
    found = np.concatenate([gain(weights) for weights in resampled(groups, RESAMPLES, SEED)])
    found = np.where(np.abs(found) < 1e-12, 0, found)  # sums in another order are no gain
    return Difference(value, *_percentiles(found))


def resampled(groups: np.ndarray, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Chunks of float32 (n, N): how often each photo is in each of `resamples` resamples.

    A resample draws as many groups as there are, with replacement.
    """
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    count = member.max() + 1
    rng = np.random.default_rng(seed)
    step = max(1, CHUNK_BYTES // (4 * len(member)))
    for start in range(0, resamples, step):
        n = min(step, resamples - start)
        drawn = rng.multinomial(count, np.full(count, 1 / count), size=n).astype(np.float32)
        yield drawn[:, member]


@dataclass(frozen=True)
class _Facts:
    """What each of N photos adds to the sums that the metrics are made of."""

    classes: int
    ordered: bool
    cell: np.ndarray  # (N, K * K), 1 in the photo's cell of the confusion matrix
    log_loss: np.ndarray  # (N,)
    brier: np.ndarray  # (N,)
    excess: np.ndarray  # (N, BINS), confidence minus 1 if right, in the bin of the confidence
    error: np.ndarray | None  # (N,), of a regression's number


def _facts(
    labels: np.ndarray,
    probabilities: np.ndarray,
    ordered: bool,
    values: np.ndarray | None,
    predicted_values: np.ndarray | None,
) -> _Facts:
    labels, probabilities = np.asarray(labels), np.asarray(probabilities, np.float64)
    k = probabilities.shape[1]
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    given = probabilities[np.arange(len(labels)), labels]
    bins = np.eye(BINS)[np.clip((confidence * BINS).astype(int), 0, BINS - 1)]
    return _Facts(
        classes=k,
        ordered=ordered,
        cell=np.eye(k * k, dtype=np.float32)[labels * k + predicted],
        log_loss=-np.log(np.clip(given, np.finfo(np.float64).eps, 1)),
        brier=((probabilities - np.eye(k)[labels]) ** 2).sum(1),
        excess=bins * (confidence - (predicted == labels))[:, None],
        error=None if values is None else np.abs(np.asarray(values) - predicted_values),
    )


def _metrics(weights: np.ndarray, facts: _Facts) -> dict[str, np.ndarray]:
    """Every metric for each row of `weights` (n, N)."""
    k = facts.classes
    with np.errstate(invalid="ignore", divide="ignore"):
        total = weights.sum(1)
        matrix = (weights @ facts.cell).reshape(-1, k, k)
        hits, support = np.einsum("nii->ni", matrix), matrix.sum(2)
        f1 = np.where(support > 0, 2 * hits / (support + matrix.sum(1)), np.nan)
        found = {
            "accuracy": hits.sum(1) / total,
            "balanced_accuracy": _mean(hits / support),
            "macro_f1": _mean(f1),
            "log_loss": weights @ facts.log_loss / total,
            "brier": weights @ facts.brier / total,
            "ece": np.abs(weights @ facts.excess).sum(1) / total,
        }
        if facts.ordered:
            apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k)))
            by_chance = np.einsum("ni,nj->nij", support, matrix.sum(1)) / total[:, None, None]
            disagreement = (matrix * apart**2).sum((1, 2)) / (by_chance * apart**2).sum((1, 2))
            found["qwk"] = 1 - disagreement
            found["group_error"] = (matrix * apart).sum((1, 2)) / total
        if facts.error is not None:
            found["mae"] = weights @ facts.error / total
    return found


def _balanced(weights: np.ndarray, labels: np.ndarray, right: np.ndarray) -> np.ndarray:
    of_class = labels[:, None] == np.unique(labels)
    with np.errstate(invalid="ignore"):
        return _mean((weights @ (of_class & right[:, None])) / (weights @ of_class))


def _mean(values: np.ndarray) -> np.ndarray:
    """Over the classes (axis 1) that have photos."""
    known = ~np.isnan(values)
    return np.where(known, values, 0).sum(1) / known.sum(1)


def _never_certain(low: float, high: float, groups: np.ndarray) -> tuple[float, float]:
    exact = ((1 - LEVEL) / 2) ** (1 / len(np.unique(groups)))
    if low > 1 - 1e-9:
        return float(exact), 1.0
    if high < 1e-9:
        return 0.0, float(1 - exact)
    return low, high


def _percentiles(values: np.ndarray) -> tuple[float, float]:
    low, high = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
