"""The first number of an exam: accuracy, or how far a network that names numbers is off."""

from dataclasses import dataclass

from stages.report.bars import Bar, bar
from stages.report.result import Measure, Result

ROOM = 1.25  # an error has no upper end: its line is so many times as long as what it shows


@dataclass(frozen=True)
class Line:
    """A measure in words, and drawn."""

    name: str
    text: str
    interval: str
    bar: Bar


@dataclass(frozen=True)
class Headline:
    lines: list[Line]  # the first one is the headline
    numbers: bool  # it is an error in numbers
    chance: str
    chance_name: str
    ends: list[str]  # the lines' start, middle and end


def headline(result: Result) -> Headline | None:
    """None: there are no photos."""
    first = result.first
    if first is None:
        return None
    top = ROOM * max(first.high, first.chance) if first.is_error else 1.0

    def line(measure: Measure) -> Line:
        value, low, high, text = measure.value, measure.low, measure.high, measure.text
        drawn = bar(
            *(value, low, high), tick=measure.chance, level=measure.level, top=top, text=text
        )
        return Line(measure.name, text(value), f"{text(low)} to {text(high)}", drawn)

    return Headline(
        lines=[line(measure) for measure in result.shown],
        numbers=first.is_error,
        chance=first.text(first.chance),
        chance_name=f"Most {'central number' if first.is_error else 'frequent class'}, always",
        ends=[first.text(share * top) for share in (0, 0.5, 1)],
    )
