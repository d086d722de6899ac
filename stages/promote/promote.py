"""Does the new network take the champion's place?"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.promote.answers import Answers
from stages.promote.gates import (
    Baseline,
    Gate,
    against_baselines,
    against_champion,
    by_itself,
    not_rolled_back,
)
from stages.records.params import Promote

Exam = dict[str, Answers]  # part ("test", "wild") -> a system's answers


@dataclass(frozen=True)
class Decision:
    """What promotion.json holds."""

    decision: str  # "champion" or "challenger": what the candidate becomes
    reason: str
    gates: list[Gate]
    candidate: dict[str, dict[str, float | None]]  # part -> metric -> value
    champion: dict[str, dict[str, float | None]] | None  # None: it was not compared


def decide(
    params: Promote,
    candidate: Exam,
    champion: Exam | None,
    evaluation: dict[str, Any],
    baselines: list[Baseline],
    *,
    why_not: str = "there was no champion yet",
    rolled_back: bool = False,
) -> Decision:
    """The candidate becomes the champion if it passes every gate, else the challenger.

    `champion`: the present one's answers to some of the candidate's photos, those it has not
    trained on; None where it cannot be compared, and `why_not` says why: then only the other gates
    stand. `evaluation`: the candidate's evaluation.json. `rolled_back`: this network was champion
    and has been taken off its place.
    """
    compared = None
    if champion:
        compared = {
            part: candidate[part].where(np.isin(candidate[part].ids, answers.ids))
            for part, answers in champion.items()
        }
    gates = against_champion(compared, champion, params) if compared else []
    gates += against_baselines(candidate["test"], baselines) + by_itself(evaluation, params)
    gates += not_rolled_back(rolled_back)
    failed = [gate for gate in gates if not gate.passed]
    if failed:
        reason = "; ".join(f"{gate.gate}: {gate.about}" for gate in failed)
    elif champion:
        reason = gates[0].about
    else:
        reason = f"{why_not}, and every other gate is passed"
    return Decision(
        "challenger" if failed else "champion",
        reason,
        gates,
        _metrics(compared or candidate),
        _metrics(champion) if champion else None,
    )


def _metrics(exam: Exam) -> dict[str, dict[str, float | None]]:
    return {part: answers.metrics() for part, answers in exam.items()}


def sha256(folder: Path) -> str:
    """Which network a model folder holds."""
    with (folder / "model.keras").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
