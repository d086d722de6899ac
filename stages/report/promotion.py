"""Who became champion and why: systems side by side, gates, history."""

from pathlib import Path
from typing import Any

import pandas as pd

from stages.common.tables import read_table
from stages.report.bars import bar

EXAMS = ("test", "wild")
SIMPLER = ("majority", "classical", "network")


def systems(path: Path) -> list[dict[str, Any]]:
    """leaderboard.csv -> a row a system: its text columns, `parameters`, `seconds`,
    `val_balanced_accuracy` (None where the file has ""), and for test and wild a dict with `n`,
    `accuracy`, `balanced_accuracy` and the latter's `bar` (None where it was not judged)."""
    rows = [_row(row) for row in read_table(path).to_dict("records")]
    for part in EXAMS:
        majority = [row[part]["balanced_accuracy"] for row in rows if row["kind"] == "majority"]
        chance = majority[0] if majority else None
        for row in rows:
            exam = row[part]
            if exam["balanced_accuracy"] is not None:
                exam["bar"] = bar(
                    exam["balanced_accuracy"],
                    exam["low"],
                    exam["high"],
                    tick=chance,
                    level="plain" if row["kind"] in SIMPLER else "ours",
                )
    return rows


def _row(row: dict[str, str]) -> dict[str, Any]:
    found = {key: row[key] for key in ("system", "kind", "weights")}
    for key in ("parameters", "seconds", "val_balanced_accuracy"):
        found[key] = _number(row[key])
    for part in EXAMS:
        found[part] = {
            "n": _number(row[f"{part}_n"]),
            "accuracy": _number(row[f"{part}_accuracy"]),
            "balanced_accuracy": _number(row[f"{part}_balanced_accuracy"]),
            "low": _number(row[f"{part}_balanced_accuracy_low"]),
            "high": _number(row[f"{part}_balanced_accuracy_high"]),
            "bar": None,
        }
    return found


def _number(text: str) -> float | None:
    return float(text) if text else None


def baseline_rows(baselines: list[dict[str, Any]], predictions: pd.DataFrame) -> list[dict]:
    """What stands beside the trials of the search: each baseline with its accuracy on val."""
    val = predictions[predictions["part"] == "val"]
    hits = (val["label"] == val["predicted"]).groupby(val["model"]).mean()
    return [
        {
            "name": baseline["name"],
            "kind": baseline["kind"],
            "about": baseline["about"],
            "weights": baseline["weights"],
            "val_accuracy": float(hits[baseline["name"]]) if baseline["name"] in hits else None,
            "epochs": len(baseline["epochs"]),
            "seconds": baseline["seconds"],
            "parameters": baseline["parameters"],
            "error": baseline.get("error"),
        }
        for baseline in baselines
    ]


def gates(promotion: dict[str, Any]) -> list[dict[str, Any]]:
    """promotion.json's gates, each `judged`: "passed", "not passed", or "not judged" where it let
    the candidate through for want of a figure."""

    def judged(gate: dict[str, Any]) -> str:
        if not gate["passed"]:
            return "not passed"
        return "not judged" if gate["value"] is None else "passed"

    return [gate | {"judged": judged(gate)} for gate in promotion["gates"]]


def history(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """history.json, the latest first; the data's hashes short."""
    return [
        event
        | {
            "time": event["time"][:16].replace("T", " "),
            "data": {path: md5[:8] for path, md5 in event["data"].items()},
        }
        for event in reversed(events)
    ]
