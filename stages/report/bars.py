"""A number on a line, with its interval: the mark by which the whole report is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from stages.report.render import percent

Level = Literal["plain", "ours", "good", "noise", "bad"]  # CSS classes; "plain" judges nothing


@dataclass(frozen=True)
class Bar:
    """What the macro `range` draws. Positions are in percent of the line."""

    at: float  # the number
    low: float  # where its interval begins
    width: float  # of the interval
    tick: float | None  # what chance reaches
    level: Level
    words: str  # the same for screen readers


def bar(
    value: float,
    low: float,
    high: float,
    *,
    tick: float | None = None,
    level: Level = "plain",
    top: float = 1.0,
    text: Callable[[float], str] = percent,
) -> Bar:
    """`value` with its interval on a line from 0 to `top`; `text` writes the numbers."""
    words = f"{text(value)}, 95% interval {text(low)} to {text(high)}"
    start, end = _position(low, top), _position(high, top)
    return Bar(
        at=_position(value, top),
        low=start,
        width=end - start,
        tick=None if tick is None else _position(tick, top),
        level=level,
        words=words if tick is None else f"{words}; chance {text(tick)}",
    )


def _position(value: float, top: float) -> float:
    return round(100 * min(max(value / top, 0), 1), 2)
