"""A number on a line, with its interval: the mark by which the whole report is read."""

from collections.abc import Callable
from typing import Any

from stages.report.render import percent


def bar(
    value: float,
    low: float,
    high: float,
    *,
    tick: float | None = None,
    level: str = "plain",
    top: float = 1.0,
    text: Callable[[float], str] = percent,
) -> dict[str, Any]:
    """What the macro `range` draws on a line from 0 to `top`: positions in percent, and words.

    `level` is the colour: see `verdict.level`; "plain" judges nothing.
    """
    words = f"{text(value)}, 95% interval {text(low)} to {text(high)}"
    ends = [_position(x, top) for x in (low, high)]
    return {
        "at": _position(value, top),
        "low": ends[0],
        "width": ends[1] - ends[0],
        "tick": None if tick is None else _position(tick, top),
        "level": level,
        "words": words if tick is None else f"{words}; chance {text(tick)}",
    }


def _position(value: float, top: float) -> float:
    return round(100 * min(max(value / top, 0), 1), 2)
