"""Lines and dots as paths in a 100 x 100 box that the page stretches to its width."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stages.records.trials import Attempt
from stages.report.render import MINUS
from stages.report.ticks import ticks

CUT = 3  # times the best trial's highest loss: what runs above it leaves the chart
SHARES = (0, 0.25, 0.5, 0.75, 1)
DOT = 22  # pixels: the largest dot's diameter


@dataclass(frozen=True)
class Tick:
    at: float  # percent of the axis
    text: str


@dataclass(frozen=True)
class Mark:
    """A line of a chart, or dots."""

    path: str
    kind: str  # its CSS class
    title: str  # shown when one points at it
    width: int = 0  # pixels; 0: as the class has it
    hue: int = 0  # degrees; 0: as the class has it

    @property
    def style(self) -> str:
        width = f"stroke-width:{self.width};" if self.width else ""
        return width + (f"--hue:{self.hue}" if self.hue else "")


@dataclass(frozen=True)
class Panel:
    """What the macro `chart` draws; the last line lies on top."""

    title: str
    lines: list[Mark]
    x: list[Tick]
    y: list[Tick]
    about: str = ""
    cut: bool = False  # what lies outside is not drawn


@dataclass(frozen=True)
class Axes:
    """The numbers at the chart's left and right, and at its bottom and top."""

    x: tuple[float, float]
    y: tuple[float, float]

    def line(self, points: Iterable[tuple[float, float]]) -> str:
        first, *others = (self._at(*point) for point in points)
        return f"M{first}h0" + "".join(f"L{point}" for point in others)

    def dots(self, points: Iterable[tuple[float, float]]) -> str:
        """Lines without length, which round ends make into dots of the stroke's width."""
        return "".join(f"M{self._at(*point)}h0" for point in points)

    def x_ticks(self, values: Iterable[float], text: str = "{:.0%}") -> list[Tick]:
        """Those of `values` that lie in the chart, written as the format `text` says."""
        return _ticks(self.x, values, text)

    def y_ticks(self, values: Iterable[float], text: str = "{:.0%}") -> list[Tick]:
        """As `x_ticks`."""
        return _ticks(self.y, values, text)

    def _at(self, x: float, y: float) -> str:
        return f"{100 * _share(x, *self.x):.2f} {100 - 100 * _share(y, *self.y):.2f}"


def curve_panels(trials: Iterable[Attempt], best: int) -> list[Panel]:
    """Charts over epochs: the loss, and the accuracy or the mean absolute error or both.

    `best` is the number of the best trial.
    """
    trained = sorted((t for t in trials if t.epochs), key=lambda t: t.trial == best)
    panels, measured = [_falling("loss", trained, best)], trained[-1].epochs[0]
    if measured.val_accuracy is not None:
        panels.append(_curves("accuracy", trained, best, SHARES))
    if measured.val_mae is not None:
        panels.append(_falling("mae", trained, best))
    return panels


def _falling(metric: str, trials: Sequence[Attempt], best: int) -> Panel:
    """A chart of what falls while a network learns, and may explode."""
    keys = (metric, f"val_{metric}")
    highest = max(max(_values(trials[-1], key)) for key in keys)
    worst = max(max(_values(trial, f"val_{metric}")) for trial in trials)
    top = min(worst, CUT * highest) if worst > highest else highest
    lowest = min(min(_values(trial, key)) for trial in trials for key in keys)
    heights = ticks(lowest, top)
    return _curves(metric, trials, best, heights, cut=worst > heights[-1])


def _curves(
    metric: str, trials: Sequence[Attempt], best: int, heights: Sequence[float], cut: bool = False
) -> Panel:
    last = max(len(trial.epochs) for trial in trials)
    axes = Axes((1, last) if last > 1 else (0, 2), (heights[0], heights[-1]))
    lines = []
    for trial in trials:
        is_best = trial.trial == best
        shown = {"best": f"val_{metric}"} if is_best else {"other": f"val_{metric}"}
        if is_best:
            shown = {"training": metric} | shown
        for kind, key in shown.items():
            path = axes.line(enumerate(_values(trial, key), 1))
            part = "training" if kind == "training" else "validation"
            lines.append(Mark(path, kind, f"trial {trial.trial + 1}, {part}"))
    epochs = [epoch for epoch in ticks(*axes.x, least=1) if epoch <= last]
    return Panel(
        {"mae": "Mean absolute error"}.get(metric, metric.capitalize()),
        lines,
        x=axes.x_ticks(epochs, "{:.0f}"),
        y=axes.y_ticks(heights, "{:.0%}" if metric == "accuracy" else "{:g}"),
        about="by epoch" + ("; what runs out at the top was higher still" if cut else ""),
        cut=cut,
    )


def _values(trial: Attempt, metric: str) -> list[float]:
    return [epoch.metrics()[metric] for epoch in trial.epochs]


def _ticks(ends: tuple[float, float], values: Iterable[float], text: str) -> list[Tick]:
    return [
        Tick(100 * _share(value, *ends), text.format(value).replace("-", MINUS))
        for value in values
        if ends[0] <= value <= ends[1]
    ]


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low)
