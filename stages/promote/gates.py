"""The gates of promotion, each with its figure.

Systems are compared on the same photos. Intervals come from a bootstrap over groups (a person, or
the copies of one shot), because photos of one group are answered alike (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 8).
"""

from sklearn.metrics import log_loss

from stages.networks.metrics import Difference, paired_difference
from stages.promote.answers import Answers, ByPart
from stages.records.evaluation import Exam
from stages.records.params import Promote
from stages.records.promotion import Gate
from stages.records.splits import EXAMS


def against_champion(candidate: ByPart, champion: ByPart, params: Promote) -> list[Gate]:
    """Both answer the same photos of the parts test (not empty) and wild."""
    gain = paired_difference(*_pair(candidate["test"], champion["test"]))
    new, old = (side["test"].figures().balanced_accuracy for side in (candidate, champion))
    limit = 1 - params.level
    figures = (
        f"balanced accuracy {new:.3f} against the champion's {old:.3f} on the same "
        f"{len(candidate['test'])} test photos: a gain of {_interval(gain)}"
    )
    beats = Gate(
        gate="beats the champion",
        passed=gain.p <= limit,
        value=gain.p,
        limit=limit,
        low=None,
        high=None,
        about=f"{figures}; it is none in {gain.p:.1%} of the resamples, at most {limit:.1%} are "
        "allowed",
    )
    margin = Gate(
        gate="margin",
        passed=gain.value > params.margin,
        value=gain.value,
        limit=params.margin,
        low=gain.low,
        high=gain.high,
        about=f"the gain of {gain.value:+.3f} must exceed {params.margin:g}",
    )
    return [beats, margin, _wild(candidate["wild"], champion["wild"], params.wild_margin)]


def against_baselines(test: Answers, baselines: dict[str, Answers | None]) -> list[Gate]:
    """The candidate's balanced accuracy on `test` must be above that of each baseline; if they are
    equal, its log loss must be lower.

    `baselines`: name -> answers to the same photos; None if the baseline failed.
    """
    return [_against_baseline(test, name, answers) for name, answers in baselines.items()]


def by_itself(exams: dict[str, Exam], params: Promote) -> list[Gate]:
    """Calibration and slices of the candidate; `exams` of its evaluation.json, test not empty."""
    ece = exams["test"].ece
    assert ece is not None
    low, high = exams["test"].intervals.get("ece") or (None, None)
    calibration = Gate(
        gate="calibration",
        passed=ece <= params.max_ece,
        value=ece,
        limit=params.max_ece,
        low=low,
        high=high,
        about=f"expected calibration error on test {ece:.3f}; at most {params.max_ece:g}",
    )
    limit = -params.max_slice_gap
    slices = [(part, each) for part in EXAMS for each in exams[part].slices]
    if not slices:
        return [calibration, _not_judged("slices", limit, "no slice has enough photos")]
    part, worst = min(slices, key=lambda each: each[1].gap_high)
    about = (
        f"worst of {len(slices)} slices: {worst.column} = {worst.value} in {part} "
        f"({worst.n} photos), accuracy {worst.gap:+.3f} ({worst.gap_low:+.3f} to "
        f"{worst.gap_high:+.3f}) against the others; a slice fails where all of its interval is "
        f"below {limit:g}"
    )
    held = worst.gap_high >= limit
    gate = Gate("slices", held, worst.gap, limit, worst.gap_low, worst.gap_high, about)
    return [calibration, gate]


def not_rolled_back(rolled_back: bool) -> list[Gate]:
    """A network that somebody rolled back does not become champion again by itself."""
    if not rolled_back:
        return []
    about = "this very network was champion and has been rolled back"
    return [Gate("not rolled back", False, None, None, None, None, about)]


def _wild(candidate: Answers, champion: Answers, margin: float) -> Gate:
    if not len(candidate):
        why = "there are no wild photos that the champion has not trained on"
        return _not_judged("wild", -margin, why)
    change = paired_difference(*_pair(candidate, champion))
    return Gate(
        gate="wild",
        passed=change.value >= -margin,
        value=change.value,
        limit=-margin,
        low=change.low,
        high=change.high,
        about=f"balanced accuracy on the same {len(candidate)} wild photos: {_interval(change)}; "
        f"it may lose {margin:g}",
    )


def _against_baseline(test: Answers, baseline: str, answers: Answers | None) -> Gate:
    name = f"beats {baseline}"
    if answers is None:
        return _not_judged(name, 0.0, f"{baseline} failed, so it has no answers")
    gain = paired_difference(*_pair(test, answers))
    about = f"balanced accuracy on {len(test)} test photos: {_interval(gain)}"
    passed = gain.value > 0
    if abs(gain.value) < 1e-9:
        new, old = _log_loss(test), _log_loss(answers)
        passed = new < old
        about += f"; a tie, so log loss decides: {new:.3f} against {old:.3f}"
    return Gate(name, passed, gain.value, 0.0, gain.low, gain.high, about)


def _not_judged(gate: str, limit: float, why: str) -> Gate:
    return Gate(gate, True, None, limit, None, None, f"not judged: {why}")


def _pair(a: Answers, b: Answers) -> tuple:
    """What `paired_difference` compares."""
    return a.labels, a.predicted, b.predicted, a.groups


def _log_loss(answers: Answers) -> float:
    whole = answers.probabilities.sum(1, keepdims=True)  # not quite 1, as tables round them
    labels = range(answers.probabilities.shape[1])
    return float(log_loss(answers.labels, answers.probabilities / whole, labels=labels))


def _interval(difference: Difference) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
