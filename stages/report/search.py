"""The trials of a search as a leaderboard."""

from collections import Counter
from typing import Any


def leaderboard(search: dict[str, Any]) -> dict[str, Any]:
    """trials.json -> rows, best first and failed ones last, and the settings that never vary."""
    settings = {pair for t in search["trials"] for pair in _texts(t["hyperparameters"]).items()}
    values = Counter(name for name, _ in settings)
    several = len(search["trials"]) > 1
    shared = {(name, value) for name, value in settings if several and values[name] == 1}
    sign = -1 if search["objective"] == "val_accuracy" else 1
    done = [t for t in search["trials"] if t["score"] is not None]
    others = [t for t in search["trials"] if t["score"] is None]
    ranked = sorted(done, key=lambda t: sign * t["score"]) + others
    return {
        "rows": [_row(trial, trial["trial"] == search["best"], shared) for trial in ranked],
        "shared": sorted(shared),
        "seconds": sum(trial["seconds"] or 0 for trial in search["trials"]),
        "failed": len(others),
    }


def _row(trial: dict[str, Any], best: bool, shared: set[tuple[str, str]]) -> dict[str, Any]:
    at_best = [row for row in trial["epochs"] if row["epoch"] == trial["best_epoch"]]
    error = (trial["error"] or "").strip()
    return {
        "number": trial["trial"] + 1,
        "best": best,
        "status": trial["status"].lower(),
        "score": trial["score"],
        "val_accuracy": at_best[0].get("val_accuracy") if at_best else None,
        "val_mae": at_best[0].get("val_mae") if at_best else None,
        "best_epoch": None if trial["best_epoch"] is None else trial["best_epoch"] + 1,
        "epochs": len(trial["epochs"]),
        "seconds": trial["seconds"],
        "parameters": trial["parameters"],
        "settings": [p for p in _texts(trial["hyperparameters"]).items() if p not in shared],
        "error": error.splitlines()[-1] if error else "",
    }


def _texts(hyperparameters: dict[str, Any]) -> dict[str, str]:
    def text(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return f"{value:g}" if isinstance(value, float) else str(value)

    return {name.replace("_", " "): text(value) for name, value in hyperparameters.items()}
