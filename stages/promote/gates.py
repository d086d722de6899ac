"""The gates between a candidate and the champion's place, each with its figure.

A test on the same photos: the bootstrap resamples groups (a person, or one shot's copies), because
photos of one group stand and fall together (Efron and Tibshirani, "An Introduction to the
Bootstrap", 1993, chapter 8).
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import Any

from sklearn.metrics import log_loss

from stages.common.metrics import Difference, paired_difference
from stages.promote.answers import Answers
from stages.records.params import Promote


@dataclass(frozen=True)
class Gate:
    gate: str
    passed: bool
    value: float | None  # None: there was nothing to judge, `about` says why
    limit: float | None
    low: float | None  # of the value: 95 % interval
    high: float | None
    about: str


@dataclass(frozen=True)
class Baseline:
    """A system of data/baseline on the test part; `test` None: it has no answers (it failed)."""

    name: str
    test: Answers | None


def against_champion(
    candidate: dict[str, Answers], champion: dict[str, Answers], params: Promote
) -> list[Gate]:
    """Both answer the same photos of the parts test (not empty) and wild."""
    gain = _difference(candidate["test"], champion["test"])
    wins = gain.p <= 1 - params.level
    new, old = (side["test"].metrics()["balanced_accuracy"] for side in (candidate, champion))
    figures = (
        f"balanced accuracy {new:.3f} against the champion's {old:.3f} on the same "
        f"{len(candidate['test'])} test photos: a gain of {_interval(gain)}"
    )
    return [
        Gate(
            "beats the champion", wins, gain.p, 1 - params.level, None, None,
            f"{figures}; it is none in {gain.p:.1%} of the resamples, at most "
            f"{1 - params.level:.1%} are allowed",
        ),
        Gate(
            "margin", gain.value > params.margin, gain.value, params.margin, gain.low, gain.high,
            f"the gain of {gain.value:+.3f} must exceed {params.margin:g}",
        ),
        _wild(candidate["wild"], champion["wild"], params.wild_margin),
    ]  # fmt: skip


def _wild(candidate: Answers, champion: Answers, margin: float) -> Gate:
    if not len(candidate):
        about = "not judged: there are no wild photos that the champion has not trained on"
        return Gate("wild", True, None, -margin, None, None, about)
    change = _difference(candidate, champion)
    return Gate(
        "wild", change.value >= -margin, change.value, -margin, change.low, change.high,
        f"balanced accuracy on the same {len(candidate)} wild photos: {_interval(change)}; it may "
        f"lose {margin:g}",
    )  # fmt: skip


def against_baselines(test: Answers, baselines: Iterable[Baseline]) -> list[Gate]:
    """The candidate's balanced accuracy on `test` is above each one's; of two alike, the better
    log loss wins."""
    gates = []
    for baseline in baselines:
        name = f"beats {baseline.name}"
        if baseline.test is None:
            about = f"not judged: {baseline.name} failed, so it has no answers"
            gates.append(Gate(name, True, None, 0.0, None, None, about))
            continue
        gain = _difference(test, baseline.test)
        about = f"balanced accuracy on {len(test)} test photos: {_interval(gain)}"
        passed = gain.value > 0
        if abs(gain.value) < 1e-9:
            new, old = _log_loss(test), _log_loss(baseline.test)
            passed = new < old
            about += f"; a tie, so log loss decides: {new:.3f} against {old:.3f}"
        gates.append(Gate(name, passed, gain.value, 0.0, gain.low, gain.high, about))
    return gates


def by_itself(evaluation: dict[str, Any], params: Promote) -> list[Gate]:
    """Calibration and slices, of an evaluation.json."""
    parts = evaluation["parts"]
    ece = parts["test"]["ece"]
    low, high = parts["test"]["intervals"].get("ece") or (None, None)
    calibration = Gate(
        "calibration", ece <= params.max_ece, ece, params.max_ece, low, high,
        f"expected calibration error on test {ece:.3f}; at most {params.max_ece:g}",
    )  # fmt: skip
    slices = [(part, each) for part in ("test", "wild") for each in parts[part].get("slices", [])]
    limit = -params.max_slice_gap
    if not slices:
        about = "not judged: no slice has enough photos"
        return [calibration, Gate("slices", True, None, limit, None, None, about)]
    part, worst = min(slices, key=lambda each: each[1]["gap_high"])
    held = worst["gap_high"] >= limit
    about = (
        f"worst of {len(slices)} slices: {worst['column']} = {worst['value']} in {part} "
        f"({worst['n']} photos), accuracy {worst['gap']:+.3f} ({worst['gap_low']:+.3f} to "
        f"{worst['gap_high']:+.3f}) against the others; a slice fails where all of its interval is "
        f"below {limit:g}"
    )
    figures = worst["gap"], limit, worst["gap_low"], worst["gap_high"]
    return [calibration, Gate("slices", held, *figures, about)]


def not_rolled_back(rolled_back: bool) -> list[Gate]:
    """A network that somebody has taken off its place does not come back by itself."""
    if not rolled_back:
        return []
    about = "this very network was champion and has been rolled back"
    return [Gate("not rolled back", False, None, None, None, None, about)]


def _difference(a: Answers, b: Answers) -> Difference:
    found = paired_difference(a.labels, a.predicted, b.predicted, a.groups)
    return Difference(*map(float, astuple(found)))  # NumPy's numbers do not go into JSON


def _log_loss(answers: Answers) -> float:
    whole = answers.probabilities.sum(1, keepdims=True)  # tables round them: 1 but for that
    labels = range(answers.probabilities.shape[1])
    return log_loss(answers.labels, answers.probabilities / whole, labels=labels)


def _interval(difference: Difference) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
