"""The experiments of `python -m benchmarks.findings NAME`, from the JSON files they leave."""

import json
from pathlib import Path
from typing import Any

from stages.common.errors import UserError
from stages.report.charts import Axes, mark, nice, panel
from stages.report.render import percent

KEYS = ("name", "title", "task", "question", "conclusion", "columns", "rows", "figure", "command")


def findings(folder: Path) -> list[dict[str, Any]]:
    """The findings in `folder`, by file name, each with a `chart` or `bars` made of its figure.

    Raises `UserError` for a file that is not a finding.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            missing = [key for key in KEYS if key not in content]
            if missing:
                raise ValueError(f"it lacks {', '.join(missing)}")
            found.append(content | _drawn(content["figure"]))
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{path} is not a finding ({error!r}); delete it, or run its experiment again: "
                "`python -m benchmarks.findings`"
            ) from error
    return found


def _drawn(figure: dict[str, Any]) -> dict[str, Any]:
    if "bars" in figure:
        return {"chart": None, "bars": _bars(figure["bars"])}
    return {"chart": _lines(figure), "bars": []}


def _bars(bars: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each bar's ends in percent of the line's length."""
    marks = [bar.get(key) for bar in bars for key in ("value", "low", "high", "chance")]
    known = [mark for mark in marks if mark is not None]
    shares = all(0 <= mark <= 1 for mark in known)
    top = 1 if shares else max(known)

    def at(value: float | None) -> float | None:
        return None if value is None else round(100 * min(max(value / top, 0), 1), 2)

    return [
        {"label": bar["label"], "text": percent(bar["value"]) if shares else f"{bar['value']:.3g}"}
        | {key: at(bar.get(key)) for key in ("value", "low", "high", "chance")}
        for bar in bars
    ]


def _lines(figure: dict[str, Any]) -> dict[str, Any]:
    """A line a series with its interval as a band behind it."""
    every = [point for series in figure["series"] for point in series["points"]]
    x_ticks = nice(min(p[0] for p in every), max(p[0] for p in every), 5)
    heights = [y for point in every for y in point[1:] if y is not None]
    shares = all(0 <= y <= 1 for y in heights)
    y_ticks = nice(min(heights), max(heights))
    y_ticks = y_ticks[y_ticks <= 1] if shares else y_ticks
    axes = Axes((x_ticks[0], x_ticks[-1]), (y_ticks[0], max(y_ticks[-1], max(heights))))
    bands, lines = [], []
    for k, series in enumerate(figure["series"]):
        hue = round(190 + 360 * k / len(figure["series"])) % 360
        points = sorted(series["points"])
        if all(len(p) == 4 and None not in p for p in points):
            around = [(p[0], p[3]) for p in points] + [(p[0], p[2]) for p in reversed(points)]
            bands.append(mark(axes.line(around) + "Z", "band", series["name"], hue=hue))
        path = axes.line(p[:2] for p in points)
        lines.append(mark(path, "series", series["name"], hue=hue))
    return panel(
        figure["y_label"],
        axes,
        bands + lines,
        about=f"by {figure['x_label']}",
        x_ticks=(x_ticks, "{:g}"),
        y_ticks=(y_ticks, "{:.0%}" if shares else "{:g}"),
    )
