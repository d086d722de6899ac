"""Lines and dots as paths in a 100 x 100 box that the page stretches to its width."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from stages.report.render import MINUS

CUT = 3  # times the best trial's highest loss: what runs above it leaves the chart
SHARES = tuple(np.linspace(0, 1, 5))
DOT = 22  # pixels: the largest dot's diameter


@dataclass(frozen=True)
class Axes:
    """What stands at the chart's four sides."""

    x: tuple[float, float]
    y: tuple[float, float]

    def line(self, points: Iterable[tuple[float, float]]) -> str:
        first, *others = (self._at(*point) for point in points)
        return f"M{first}h0" + "".join(f"L{point}" for point in others)

    def dots(self, points: Iterable[tuple[float, float]]) -> str:
        """Lines without length, which round ends make into dots of the stroke's width."""
        return "".join(f"M{self._at(*point)}h0" for point in points)

    def ticks(self, axis: str, values: Iterable[float], text: str) -> list[dict[str, Any]]:
        """The `values` on the axis "x" or "y" that lie in the chart."""
        low, high = getattr(self, axis)
        return [
            {"at": 100 * _share(value, low, high), "text": text.format(value).replace("-", MINUS)}
            for value in values
            if low <= value <= high
        ]

    def _at(self, x: float, y: float) -> str:
        return f"{100 * _share(x, *self.x):.2f} {100 - 100 * _share(y, *self.y):.2f}"


def mark(path: str, kind: str, title: str, *, width: int = 0, hue: int = 0) -> dict[str, Any]:
    """A line of a chart: its CSS class, the words one sees over it, and perhaps pixels and
    degrees."""
    style = f"stroke-width:{width};" * bool(width) + f"--hue:{hue}" * bool(hue)
    return {"path": path, "kind": kind, "title": title, "style": style, "hue": hue}


def panel(
    title: str,
    axes: Axes,
    lines: list[dict[str, Any]],
    *,
    about: str = "",
    x_ticks: tuple[Iterable[float], str] = (SHARES, "{:.0%}"),
    y_ticks: tuple[Iterable[float], str] = (SHARES, "{:.0%}"),
    cut: bool = False,
) -> dict[str, Any]:
    """What the macro `chart` draws. `lines` are `mark`s; the last one lies on top."""
    return {
        "title": title,
        "about": about,
        "lines": lines,
        "x": axes.ticks("x", *x_ticks),
        "y": axes.ticks("y", *y_ticks),
        "cut": cut,
    }


def nice(low: float, high: float, count: int = 4) -> np.ndarray:
    """Round numbers, about `count` of them, from `low` or below to `high` or above."""
    return MaxNLocator(count).tick_values(low, high)


def curve_panels(trials: list[dict[str, Any]], best: int) -> list[dict[str, Any]]:
    """The two charts of trials.json's `trials` over epochs: loss, and accuracy or mean absolute
    error."""
    trained = sorted((t for t in trials if t["epochs"]), key=lambda t: t["trial"] == best)
    error = "val_mae" in trained[-1]["epochs"][0]
    second = _falling("mae", trained, best) if error else _curves("accuracy", trained, best, SHARES)
    return [_falling("loss", trained, best), second]


def _falling(metric: str, trials: list[dict[str, Any]], best: int) -> dict[str, Any]:
    """A chart of what falls while a network learns, and may explode."""
    keys = (metric, f"val_{metric}")
    highest = max(row[key] for row in trials[-1]["epochs"] for key in keys)
    worst = max(row[f"val_{metric}"] for t in trials for row in t["epochs"])
    top = min(worst, CUT * highest) if worst > highest else highest
    lowest = min(row[key] for t in trials for row in t["epochs"] for key in keys)
    ticks = nice(lowest, top)
    return _curves(metric, trials, best, ticks, cut=bool(worst > ticks[-1]))


def _curves(
    metric: str, trials: list[dict[str, Any]], best: int, ticks: Iterable[float], cut: bool = False
) -> dict[str, Any]:
    last = max(len(t["epochs"]) for t in trials)
    axes = Axes((1, last) if last > 1 else (0, 2), (ticks[0], ticks[-1]))
    lines = []
    for trial in trials:
        is_best = trial["trial"] == best
        shown = {"best": f"val_{metric}"} if is_best else {"other": f"val_{metric}"}
        if is_best:
            shown = {"training": metric} | shown
        for kind, key in shown.items():
            path = axes.line((epoch, row[key]) for epoch, row in enumerate(trial["epochs"], 1))
            about = "training" if kind == "training" else "validation"
            title = f"trial {trial['trial'] + 1}, {about}"
            lines.append(mark(path, kind, title))
    name = {"mae": "Mean absolute error"}.get(metric, metric.capitalize())
    about = "by epoch" + ("; what runs out at the top was higher still" if cut else "")
    epochs = MaxNLocator(5, integer=True).tick_values(1, last)
    y_format = "{:.0%}" if metric == "accuracy" else "{:g}"
    return panel(
        name,
        axes,
        lines,
        about=about,
        x_ticks=(epochs, "{:.0f}"),
        y_ticks=(ticks, y_format),
        cut=cut,
    )


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low)
