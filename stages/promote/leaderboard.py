"""leaderboard.csv: every system of a task on the same photos, a row each."""

from typing import Any

import pandas as pd

from stages.common.metrics import intervals
from stages.promote.answers import Answers

PARTS = ("test", "wild")
SHOWN = ("accuracy", "balanced_accuracy")


def row(
    system: str,
    kind: str,
    exam: dict[str, Answers],
    *,
    weights: str = "",
    parameters: int | None = None,
    seconds: float | None = None,
    ordered: bool = False,
) -> dict[str, Any]:
    """One system; `exam`: part -> its answers, a part that is missing was not judged.

    A part's figures come with the 95 % interval of the bootstrap over groups.
    """
    val = exam["val"].metrics()["balanced_accuracy"] if "val" in exam else None
    cells = {
        "system": system,
        "kind": kind,
        "weights": weights,
        "parameters": parameters,
        "seconds": None if seconds is None else round(seconds, 1),
        "val_balanced_accuracy": val,
    }
    for part in PARTS:
        answers = exam.get(part)
        cells[f"{part}_n"] = len(answers) if answers else None
        found = answers.metrics() if answers else {}
        spread = _intervals(answers, ordered) if answers else {}
        for metric in SHOWN:
            low, high = spread.get(metric, (None, None))
            cells[f"{part}_{metric}"] = found.get(metric)
            cells |= {f"{part}_{metric}_low": low, f"{part}_{metric}_high": high}
    return cells


def _intervals(answers: Answers, ordered: bool) -> dict[str, tuple[float, float]]:
    return intervals(answers.labels, answers.probabilities, answers.groups, ordered=ordered)


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Whole numbers stay whole where cells are empty."""
    whole = {"parameters": "Int64", "test_n": "Int64", "wild_n": "Int64"}
    return pd.DataFrame(rows).astype(whole)


def of_search(trials: dict[str, Any]) -> dict[str, Any]:
    """Weights, parameters and seconds of training of what a trials.json describes."""
    attempts = [
        *trials["earlier"],
        *trials["trials"],
        *([trials["final_fit"]] if trials["final_fit"] else []),
    ]
    best = next(trial for trial in trials["trials"] if trial["trial"] == trials["best"])
    pretrained = any(
        value for name, value in best["hyperparameters"].items() if name.endswith("pretrained")
    )
    return {
        "weights": "ImageNet" if pretrained else "from scratch",
        "parameters": best["parameters"],
        "seconds": sum(attempt["seconds"] or 0 for attempt in attempts),
    }
