"""Training curves as paths in a 100 x 100 box that the page stretches to its width."""

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

CUT = 3  # times the best trial's highest loss: what runs above it leaves the chart


def curve_panels(trials: list[dict[str, Any]], best: int) -> list[dict[str, Any]]:
    """The two charts of trials.json's `trials`: loss and accuracy over epochs."""
    trained = sorted((t for t in trials if t["epochs"]), key=lambda t: t["trial"] == best)
    winner = next(t for t in trained if t["trial"] == best)
    highest = max(max(row["loss"], row["val_loss"]) for row in winner["epochs"])
    worst = max(row["val_loss"] for t in trained for row in t["epochs"])
    top = min(worst, CUT * highest) if worst > highest else highest
    lowest = min(row[key] for t in trained for row in t["epochs"] for key in ("loss", "val_loss"))
    ticks = MaxNLocator(4).tick_values(lowest, top)
    loss = _panel("loss", trained, best, ticks, "{:g}")
    accuracy = _panel("accuracy", trained, best, np.linspace(0, 1, 5), "{:.0%}")
    return [loss | {"cut": worst > ticks[-1]}, accuracy | {"cut": False}]


def _panel(
    metric: str, trials: list[dict[str, Any]], best: int, ticks: np.ndarray, tick_format: str
) -> dict[str, Any]:
    last = max(len(t["epochs"]) for t in trials)
    low, high = ticks[0], ticks[-1]
    lines = []
    for trial in trials:
        is_best = trial["trial"] == best
        name = f"trial {trial['trial'] + 1}"
        if is_best:
            path = _path([row[metric] for row in trial["epochs"]], last, low, high)
            lines.append({"path": path, "kind": "training", "title": f"{name}, training"})
        path = _path([row[f"val_{metric}"] for row in trial["epochs"]], last, low, high)
        kind = "best" if is_best else "other"
        lines.append({"path": path, "kind": kind, "title": f"{name}, validation"})
    epochs = [int(e) for e in MaxNLocator(5, integer=True).tick_values(1, last) if 1 <= e <= last]
    return {
        "metric": metric,
        "lines": lines,
        "y": [
            {"at": 100 * (tick - low) / (high - low), "text": tick_format.format(tick)}
            for tick in ticks
        ],
        "x": [{"at": _across(epoch - 1, last), "text": epoch} for epoch in epochs],
    }


def _path(values: list[float], last: int, low: float, high: float) -> str:
    heights = [100 * (value - low) / (high - low) for value in values]
    points = [f"{_across(i, last):.2f} {100 - h:.2f}" for i, h in enumerate(heights)]
    return f"M{points[0]}h0" + "".join(f"L{point}" for point in points[1:])


def _across(index: int, count: int) -> float:
    return 100 * index / (count - 1) if count > 1 else 50
