"""The experiments of `python -m experiments.findings NAME`, from the files that they leave."""

from collections.abc import Sequence
from dataclasses import dataclass

from stages.records.findings import Bar, Figure, Finding
from stages.report.charts import Axes, Mark, Panel
from stages.report.render import percent
from stages.report.ticks import ticks


@dataclass(frozen=True)
class DrawnBar:
    """Positions in percent of the line's length."""

    label: str
    text: str
    value: float
    low: float | None
    high: float | None
    chance: float | None


@dataclass(frozen=True)
class Shown:
    """A finding with its figure drawn: bars or a chart."""

    finding: Finding
    bars: list[DrawnBar]
    chart: Panel | None


def shown(finding: Finding) -> Shown:
    figure = finding.figure
    return Shown(finding, _bars(figure.bars), _lines(figure) if figure.series else None)


def _bars(bars: Sequence[Bar]) -> list[DrawnBar]:
    marks = [mark for bar in bars for mark in (bar.value, bar.low, bar.high, bar.chance)]
    known = [mark for mark in marks if mark is not None]
    shares = all(0 <= mark <= 1 for mark in known)
    top = 1 if shares else max(known)

    def at(value: float) -> float:
        return round(100 * min(max(value / top, 0), 1), 2)

    return [
        DrawnBar(
            label=bar.label,
            text=percent(bar.value) if shares else f"{bar.value:.3g}",
            value=at(bar.value),
            low=None if bar.low is None else at(bar.low),
            high=None if bar.high is None else at(bar.high),
            chance=None if bar.chance is None else at(bar.chance),
        )
        for bar in bars
    ]


def _lines(figure: Figure) -> Panel:
    """A line a series, with its interval as a band behind it."""
    every = [point for series in figure.series for point in series.points]
    x_ticks = ticks(min(p.x for p in every), max(p.x for p in every))
    heights = [y for p in every for y in (p.y, p.low, p.high) if y is not None]
    shares = all(0 <= y <= 1 for y in heights)
    y_ticks = ticks(min(heights), max(heights), least=0.01 if shares else 0.0)
    axes = Axes((x_ticks[0], x_ticks[-1]), (y_ticks[0], y_ticks[-1]))
    bands, lines = [], []
    for k, series in enumerate(figure.series):
        hue = round(190 + 360 * k / len(figure.series)) % 360
        points = sorted(series.points, key=lambda point: point.x)
        low = [(p.x, p.low) for p in points if p.low is not None]
        high = [(p.x, p.high) for p in points if p.high is not None]
        if len(low) == len(high) == len(points):
            around = axes.line(high + low[::-1])
            bands.append(Mark(f"{around}Z", "band", series.name, hue=hue))
        path = axes.line((p.x, p.y) for p in points)
        lines.append(Mark(path, "series", series.name, hue=hue))
    return Panel(
        figure.y_label,
        bands + lines,
        x=axes.x_ticks(x_ticks, "{:g}"),
        y=axes.y_ticks(y_ticks, "{:.0%}" if shares else "{:g}"),
        about=f"by {figure.x_label}",
    )
