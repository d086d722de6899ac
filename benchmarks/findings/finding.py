"""What an experiment found: its table, its bars and a sentence made of them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.findings.network import Answers
from benchmarks.findings.photos import Photos
from stages.common.files import new_file
from stages.common.metrics import Difference, intervals, paired_difference, scores

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
    seeds: list[float]
    chance: float

    @property
    def range(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


@dataclass(frozen=True)
class Finding:
    title: str
    question: str
    conclusion: str
    scores: list[Score]


def score(network: str, exam: str, answers: Answers) -> Score:
    """Guessing is one in so many classes, however often each of them occurs."""
    seeds = np.unique(answers.seeds)

    def of(mask: np.ndarray | slice) -> float:
        return scores(answers.labels[mask], answers.probabilities[mask])["balanced_accuracy"]

    interval = intervals(answers.labels, answers.probabilities, answers.groups)
    low, high = interval["balanced_accuracy"]
    return Score(
        *(network, exam, len(answers) // len(seeds), of(slice(None)), low, high),
        *([of(answers.seeds == seed) for seed in seeds], 1 / answers.probabilities.shape[1]),
    )


def gain(new: Answers, old: Answers) -> Difference:
    """Balanced accuracy of `new` minus that of `old`, on the same pictures by the same seeds."""
    return paired_difference(new.labels, new.predicted, old.predicted, new.groups)


def apart(a: Score, b: Score) -> tuple[float, float, float]:
    """`a` minus `b`, asked about different pictures, and its 95 % interval.

    From the two intervals (MOVER: Zou and Donner, 2008, https://doi.org/10.1002/sim.3095).
    """
    value = a.value - b.value
    low = value - np.hypot(a.value - a.low, b.high - b.value)
    high = value + np.hypot(a.high - a.value, b.value - b.low)
    return value, float(low), float(high)


def told(gain: Difference, where: str) -> str:
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


def save(name: str, photos: Photos, finding: Finding, seconds: float) -> dict[str, Any]:
    """Write reports/findings/<name>-<task>.json, whole or not at all; returns what is in it."""
    content = {
        "name": name,
        "title": finding.title,
        "task": photos.task,
        "question": finding.question,
        "conclusion": finding.conclusion,
        "columns": [*COLUMNS, "each seed"],
        "rows": [
            [
                *(s.network, s.exam, s.pictures, round(s.value, 3)),
                f"{s.low:.3f} to {s.high:.3f}",
                round(s.chance, 3),
                ", ".join(f"{value:.2f}" for value in s.seeds),
            ]
            for s in finding.scores
        ],
        "figure": {
            "bars": [
                {"label": f"{s.network}: {s.exam}", "value": s.value}
                | {"low": s.low, "high": s.high, "chance": s.chance}
                for s in finding.scores
            ]
        },
        "command": f"python -m benchmarks.findings {name} {photos.task}",
        "seconds": round(seconds, 1),
    }
    with new_file(Path("reports/findings", f"{name}-{photos.task}.json")) as part:
        part.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return content


def show(content: dict[str, Any]) -> str:
    """The same for a terminal."""
    cells = [content["columns"], *([str(cell) for cell in row] for row in content["rows"])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in cells]
    head = f"\n{content['title']} ({content['task']}): {content['question']}"
    return "\n".join(
        [head, *lines, content["conclusion"], f"{content['command']}: {content['seconds']} s"]
    )
