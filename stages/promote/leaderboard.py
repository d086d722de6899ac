"""leaderboard.csv: every system of a task on the same photos."""

from typing import Literal

from stages.networks.metrics import intervals
from stages.promote.answers import Answers, ByPart
from stages.records.baselines import Baseline
from stages.records.promotion import Standing
from stages.records.splits import EXAMS
from stages.records.trials import Trials

DIGITS = 6  # of shares in 0..1


def of_baseline(baseline: Baseline, answers: ByPart, ordered: bool) -> Standing:
    return Standing(
        system=baseline.name,
        kind=baseline.kind,
        weights=baseline.weights,
        parameters=baseline.parameters,
        seconds=round(baseline.seconds, 1),
        test_n=_count(answers, "test"),
        wild_n=_count(answers, "wild"),
        **_figures(answers, ordered),
    )


def of_network(
    system: str,
    kind: Literal["search winner", "champion"],
    answers: ByPart,
    trials: Trials,
    ordered: bool,
) -> Standing:
    """Of a search's winner. Its seconds are those of all trials, and of the final fit."""
    attempts = [*trials.attempts(), *trials.final_fits]
    return Standing(
        system=system,
        kind=kind,
        weights=_starts_from(trials),
        parameters=trials.best.parameters,
        seconds=round(sum(attempt.seconds or 0 for attempt in attempts), 1),
        test_n=_count(answers, "test"),
        wild_n=_count(answers, "wild"),
        **_figures(answers, ordered),
    )


def _starts_from(trials: Trials) -> str:
    """The weights that the networks of the answer had before the search."""
    members = {member.trial for member in trials.members} or {trials.winner}
    settings = [each.hyperparameters for each in trials.trials if each.trial in members]
    found = ["SFace"] if any(each.get("block_type") == "face" for each in settings) else []
    if any(v for each in settings for name, v in each.items() if name.endswith("pretrained")):
        found.append("ImageNet")
    return " and ".join(found) or "from scratch"


def _count(exam: ByPart, part: str) -> int | None:
    return len(exam[part]) or None if part in exam else None


def _figures(exam: ByPart, ordered: bool) -> dict[str, float | None]:
    """The remaining fields of `Standing`; None for a part without photos.

    Intervals are 95 % and come from the bootstrap over groups.
    """
    val = exam["val"].figures().balanced_accuracy if "val" in exam else None
    found = {"val_balanced_accuracy": _rounded(val)}
    for part in EXAMS:
        answers = exam.get(part)
        figures = answers.figures() if answers else None
        spread = _intervals(answers, ordered) if answers else {}
        for metric in ("accuracy", "balanced_accuracy"):
            low, high = spread.get(metric, (None, None))
            found[f"{part}_{metric}"] = _rounded(getattr(figures, metric, None))
            found[f"{part}_{metric}_low"] = _rounded(low)
            found[f"{part}_{metric}_high"] = _rounded(high)
    return found


def _intervals(answers: Answers, ordered: bool) -> dict[str, tuple[float, float]]:
    return intervals(answers.labels, answers.probabilities, answers.groups, ordered=ordered)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
