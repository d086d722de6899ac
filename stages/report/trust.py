"""How far a single answer can be trusted: calibration, unsure answers, slices."""

from typing import Any

from stages.report.bars import bar
from stages.report.charts import DOT, Axes, mark, nice, panel

SHARE = Axes((0, 1), (0, 1))


def reliability(part: str, exam: dict[str, Any]) -> dict[str, Any]:
    """The chart of an exam's `reliability`: how often answers of one confidence are right.

    A dot's area is its number of photos.
    """
    bins = [row for row in exam["reliability"] if row["n"]]
    most = max(row["n"] for row in bins)
    ideal = mark(SHARE.line([(0, 0), (1, 1)]), "ideal", "as sure as it is right")
    dots = [
        mark(
            SHARE.dots([(row["confidence"], row["accuracy"])]),
            f"dots {part}",
            f"{row['n']} photos: {row['confidence']:.0%} sure, {row['accuracy']:.0%} right",
            width=round(max(5, DOT * (row["n"] / most) ** 0.5)),
        )
        for row in bins
    ]
    return panel(part.capitalize(), SHARE, [ideal, *dots], about="how often right, by confidence")


def coverage(exams: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """The chart of accuracy against the share of photos answered, the threshold marked on it.

    None: no exam has photos.
    """
    curves = {
        part: sorted(
            (row["coverage"], row["accuracy"])
            for row in exam["coverage"]
            if row["accuracy"] is not None
        )
        for part, exam in exams.items()
        if exam["n"]
    }
    heights = [accuracy for points in curves.values() for _, accuracy in points]
    if not heights:
        return None
    ticks = nice(max(0.0, min(heights) - 0.02), 1)
    ticks = ticks[ticks <= 1]
    axes = Axes((0, 1), (ticks[0], 1))
    lines = []
    for part, points in curves.items():
        lines.append(mark(axes.line(points), f"curve {part}", part))
        unsure = exams[part]["unsure"]
        if unsure["accuracy"] is not None:
            at = axes.dots([(unsure["coverage"], unsure["accuracy"])])
            title = f"{part}: answers from {unsure['threshold']:.0%} confidence on"
            lines.append(mark(at, f"dots {part}", title, width=12))
    return panel(
        "Unsure",
        axes,
        lines,
        about="how often right, by share answered",
        y_ticks=(ticks, "{:.0%}"),
    )


def slices(exam: dict[str, Any]) -> list[dict[str, Any]]:
    """An exam's slices with their bars, those that surely differ first: `judged` is "worse",
    "better", or "" where the interval of the gap holds 0."""
    rows = []
    for row in exam.get("slices") or []:
        judged = "worse" if row["gap_high"] < 0 else "better" if row["gap_low"] > 0 else ""
        level = {"worse": "bad", "better": "good", "": "plain"}[judged]
        drawn = bar(row["accuracy"], row["low"], row["high"], level=level)
        rows.append(row | {"judged": judged, "bar": drawn})
    return sorted(rows, key=lambda row: (row["judged"] == "", row["gap"]))
