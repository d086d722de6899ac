"""The gates of promotion, each with its figure.

Systems are compared on the same photos. The exact tests of `stages.promote.luck` decide. Intervals
come from a bootstrap over groups (a person, or the copies of one shot), because photos of one group
are answered alike (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 8).
"""

import numpy as np

from stages.networks.metrics import Difference, paired_difference
from stages.promote.answers import Answers, ByPart
from stages.promote.luck import of_gain, of_guessing
from stages.records.evaluation import Exam
from stages.records.params import Promote
from stages.records.promotion import Gate
from stages.records.splits import EXAMS


def against_champion(
    candidate: ByPart, champion: ByPart, params: Promote, luck: float
) -> list[Gate]:
    """Both answer the same photos of the parts test (not empty) and wild. `luck`: at most so likely
    may a gain like the candidate's be if both are equally good."""
    gain = paired_difference(*_pair(candidate["test"], champion["test"]))
    new, old = (side["test"].figures().balanced_accuracy for side in (candidate, champion))
    p = of_gain(*_pair(candidate["test"], champion["test"]))
    figures = (
        f"balanced accuracy {new:.3f} against the champion's {old:.3f} on the same "
        f"{len(candidate['test'])} test photos: a gain of {_interval(gain)}"
    )
    beats = Gate(
        gate="beats the champion",
        passed=p <= luck,
        value=p,
        limit=luck,
        low=None,
        high=None,
        about=f"{figures}; of two equally good networks, one is so far ahead by luck in "
        f"{percent(p)} of all cases, at most {percent(luck)} is allowed",
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


def against_chance(test: Answers, luck: float) -> list[Gate]:
    """On `test`, not empty, the candidate must be better than any network that guesses.

    Always naming the most frequent class is one way of guessing. Its balanced accuracy is that of
    all others on average: 1 by the number of classes that have photos. `luck`: at most so likely
    may a guess be as good.
    """
    p = of_guessing(test.labels, test.predicted, test.groups, luck)
    chance = 1 / len(np.unique(test.labels))
    about = (
        f"balanced accuracy {test.figures().balanced_accuracy:.3f} on {len(test)} test photos, "
        f"chance is {chance:.3f}; guesses are as good in {percent(p)} of all cases, at most "
        f"{percent(luck)} is allowed"
    )
    return [Gate("beats chance", p <= luck, p, luck, None, None, about)]


def against_baselines(
    test: Answers, baselines: dict[str, Answers | None], params: Promote
) -> list[Gate]:
    """None of them may surely have a better balanced accuracy than the candidate on `test`.

    `baselines`: name -> answers to the same photos; None if the baseline failed. One that failed
    might be better, so it stops the candidate unless `promote.excuse` names it.
    """
    return [_against_baseline(test, name, each, params) for name, each in baselines.items()]


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


def percent(share: float) -> str:
    """With three digits: 5 %, 0.0238 %."""
    return f"{100 * share:.3g} %"


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


def _against_baseline(
    test: Answers, baseline: str, answers: Answers | None, params: Promote
) -> Gate:
    name, limit = f"keeps up with {baseline}", 1 - params.level
    if answers is None and baseline in params.excuse:
        return _not_judged(name, limit, f"{baseline} failed, and promote.excuse names it")
    if answers is None:
        about = (
            f"{baseline} failed, so nobody knows whether it is better: mend it, or name it in "
            "promote.excuse"
        )
        return Gate(name, False, None, limit, None, None, about)
    gain = paired_difference(*_pair(test, answers))
    p = of_gain(*_pair(answers, test))
    about = (
        f"balanced accuracy on {len(test)} test photos against {baseline}: {_interval(gain)}; of "
        f"two equally good systems, one is so far behind by luck in {percent(p)} of all cases, it "
        f"is surely worse at {percent(limit)} or less"
    )
    return Gate(name, p > limit, p, limit, None, None, about)


def _not_judged(gate: str, limit: float, why: str) -> Gate:
    return Gate(gate, True, None, limit, None, None, f"not judged: {why}")


def _pair(a: Answers, b: Answers) -> tuple:
    """What `paired_difference` compares."""
    return a.labels, a.predicted, b.predicted, a.groups


def _interval(difference: Difference) -> str:
    return f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
