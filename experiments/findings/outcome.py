"""What an experiment found: scores and a sentence made of them; and its record for the report."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.findings.network import Answers
from stages.networks.metrics import Difference, intervals, paired_difference, scores
from stages.records.findings import COMMAND, Bar, Figure, Finding

COLUMNS = ["network", "asked about", "pictures", "balanced accuracy", "95 % interval", "guessing"]


@dataclass(frozen=True)
class Score:
    """Balanced accuracy over all seeds, and its 95 % interval (bootstrap over groups)."""

    network: str
    exam: str
    pictures: int  # a seed
    value: float
    low: float
    high: float
    seeds: Sequence[float]  # the balanced accuracy of each seed
    chance: float

    @property
    def range(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Outcome:
    title: str
    question: str
    conclusion: str
    scores: Sequence[Score]


def score(network: str, exam: str, answers: Answers) -> Score:
    """Guessing is right once in as many times as there are classes, however frequent each is."""
    seeds = np.unique(answers.seeds)

    def of(mask: np.ndarray | slice) -> float:
        value = scores(answers.labels[mask], answers.probabilities[mask])["balanced_accuracy"]
        assert value is not None  # there are pictures
        return value

    interval = intervals(answers.labels, answers.probabilities, answers.groups)
    low, high = interval["balanced_accuracy"]
    return Score(
        network,
        exam,
        pictures=len(answers) // len(seeds),
        value=of(slice(None)),
        low=low,
        high=high,
        seeds=[of(answers.seeds == seed) for seed in seeds],
        chance=1 / answers.probabilities.shape[1],
    )


def gain(new: Answers, old: Answers) -> Difference:
    """Balanced accuracy of `new` minus that of `old`, on the same pictures by the same seeds."""
    return paired_difference(new.labels, new.predicted, old.predicted, new.groups)


def apart(a: Score, b: Score) -> tuple[float, float, float]:
    """`a` minus `b`, on different pictures, and its 95 % interval.

    From the two intervals (MOVER: Zou and Donner, 2008, https://doi.org/10.1002/sim.3095).
    """
    value = a.value - b.value
    low = value - np.hypot(a.value - a.low, b.high - b.value)
    high = value + np.hypot(a.high - a.value, b.value - b.low)
    return value, float(low), float(high)


def apart_in_words(a: Score, b: Score, what: str) -> str:
    """A sentence: how far `a` is above `b`, and `what` that is; or that photos do not show it."""
    value, low, high = apart(a, b)
    if low > 0:
        return f"{value:.2f} ({low:.2f} to {high:.2f}) {what}."
    return f"These photos do not show a difference for sure: {low:+.2f} to {high:+.2f}."


def in_words(gain: Difference, where: str) -> str:
    """A difference in words that are no surer than its interval is."""
    kind = (
        "a gain" if gain.low > 0 else "a loss" if gain.high < 0 else "not surely different from 0"
    )
    return f"{gain.value:+.2f} ({gain.low:+.2f} to {gain.high:+.2f}) on {where}, {kind}"


def against_guessing(score: Score) -> str:
    """What a score is worth, in plain words."""
    share = (score.value - score.chance) / (1 - score.chance)
    if score.low <= score.chance:
        return "no better than guessing, as far as these photos can tell"
    way = f"{share:.0%} of the way from guessing to always right"
    return f"near chance, {way}" if share < 0.2 else way


def record(name: str, task: str, outcome: Outcome, seconds: float) -> Finding:
    """The outcome of experiment `name` on `task`, as the report reads it."""
    bars = [
        Bar(f"{s.network}: {s.exam}", s.value, low=s.low, high=s.high, chance=s.chance)
        for s in outcome.scores
    ]
    return Finding(
        name=name,
        title=outcome.title,
        task=task,
        question=outcome.question,
        conclusion=outcome.conclusion,
        columns=[*COLUMNS, "each seed"],
        rows=[_row(score) for score in outcome.scores],
        figure=Figure(bars=bars),
        command=f"{COMMAND} {name} {task}",
        seconds=round(seconds, 1),
    )


def _row(score: Score) -> list[str | int | float | None]:
    return [
        score.network,
        score.exam,
        score.pictures,
        round(score.value, 3),
        f"{score.low:.3f} to {score.high:.3f}",
        round(score.chance, 3),
        ", ".join(f"{value:.2f}" for value in score.seeds),
    ]


def show(finding: Finding) -> str:
    """The same for a terminal."""
    cells = [finding.columns, *([str(cell) for cell in row] for row in finding.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in cells]
    head = f"\n{finding.title} ({finding.task}): {finding.question}"
    return "\n".join([head, *lines, finding.conclusion, f"{finding.command}: {finding.seconds} s"])
