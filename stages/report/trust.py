"""How far a single answer can be trusted: calibration, unsure answers, slices."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from stages.records.evaluation import Exam, Slice
from stages.report.bars import Bar, Level, bar
from stages.report.charts import DOT, SHARES, Axes, Mark, Panel
from stages.report.ticks import ticks

SQUARE = Axes((0, 1), (0, 1))
LEVELS: dict[str, Level] = {"worse": "bad", "better": "good", "": "plain"}


def reliability(part: str, exam: Exam) -> Panel:
    """The chart of how often answers of one confidence are right.

    A dot's area is its number of photos.
    """
    most = max(row.n for row in exam.reliability)
    ideal = Mark(SQUARE.line([(0, 0), (1, 1)]), "ideal", "as sure as it is right")
    dots = [
        Mark(
            SQUARE.dots([(row.confidence, row.accuracy)]),
            f"dots {part}",
            f"{row.n} photos: {row.confidence:.0%} sure, {row.accuracy:.0%} right",
            width=round(max(5, DOT * (row.n / most) ** 0.5)),
        )
        for row in exam.reliability
    ]
    return Panel(
        part.capitalize(),
        [ideal, *dots],
        x=SQUARE.x_ticks(SHARES),
        y=SQUARE.y_ticks(SHARES),
        about="how often right, by confidence",
    )


def coverage(exams: Mapping[str, Exam]) -> Panel | None:
    """The chart of accuracy against the share of photos answered, the threshold marked on it.

    None: no exam has photos.
    """
    curves = {
        part: sorted(
            (row.coverage, row.accuracy)
            for row in exam.coverage
            if row.coverage is not None and row.accuracy is not None
        )
        for part, exam in exams.items()
        if exam.n
    }
    heights = [accuracy for points in curves.values() for _, accuracy in points]
    if not heights:
        return None
    shares = [share for share in ticks(max(0.0, min(heights) - 0.02), 1, least=0.01) if share <= 1]
    axes = Axes((0, 1), (shares[0], 1))
    lines = []
    for part, points in curves.items():
        lines.append(Mark(axes.line(points), f"curve {part}", part))
        unsure = exams[part].unsure
        if unsure.coverage is not None and unsure.accuracy is not None:
            at = axes.dots([(unsure.coverage, unsure.accuracy)])
            title = f"{part}: answers from {unsure.threshold:.0%} confidence on"
            lines.append(Mark(at, f"dots {part}", title, width=12))
    return Panel(
        "Unsure",
        lines,
        x=axes.x_ticks(SHARES),
        y=axes.y_ticks(shares),
        about="how often right, by share answered",
    )


@dataclass(frozen=True)
class JudgedSlice:
    slice: Slice
    judged: Literal["worse", "better", ""]  # "": the interval of the gap holds 0
    bar: Bar


def slices(exam: Exam) -> list[JudgedSlice]:
    """Those that surely differ first."""
    rows = [_judged(row) for row in exam.slices]
    return sorted(rows, key=lambda row: (row.judged == "", row.slice.gap))


def _judged(row: Slice) -> JudgedSlice:
    judged = "worse" if row.gap_high < 0 else "better" if row.gap_low > 0 else ""
    return JudgedSlice(row, judged, bar(row.accuracy, row.low, row.high, level=LEVELS[judged]))
