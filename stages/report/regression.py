"""A network that names numbers: what it says against what is true."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stages.records.predictions import Prediction
from stages.report.charts import Axes, Mark, Panel
from stages.report.classes import Class
from stages.report.ticks import ticks


@dataclass(frozen=True)
class ClassError:
    name: str
    n: int  # photos
    mae: float  # mean absolute error
    bias: float  # mean error; above 0: it says too much


@dataclass(frozen=True)
class Numbers:
    chart: Panel  # predicted against true number of each photo
    rows: list[ClassError]


def numbers(
    predictions: Sequence[Prediction], part: str, classes: Mapping[str, Class]
) -> Numbers | None:
    """None: no number of the part is both known and predicted."""
    known = [
        (p.part, p.label, p.value, p.predicted_value)
        for p in predictions
        if p.value is not None and p.predicted_value is not None
    ]
    here = [(label, true, said) for at, label, true, said in known if at == part]
    if not here:
        return None
    every = [number for *_, true, said in known for number in (true, said)]
    heights = ticks(min(every), max(every))  # the same in both exams
    first, last = heights[0], heights[-1]
    axes = Axes((first, last), (first, last))
    lines = [Mark(axes.line([(first, first), (last, last)]), "ideal", "exactly right")]
    rows = []
    for name, about in classes.items():
        points = [(true, said) for label, true, said in here if label == name]
        if not points:
            continue
        errors = np.array([said - true for true, said in points])
        lines.append(Mark(axes.dots(points), "dots class", about.title, width=7, hue=about.hue))
        rows.append(
            ClassError(name, len(points), float(np.abs(errors).mean()), float(errors.mean()))
        )
    chart = Panel(
        part.capitalize(),
        lines,
        x=axes.x_ticks(heights, "{:g}"),
        y=axes.y_ticks(heights, "{:g}"),
        about="predicted, by true number",
    )
    return Numbers(chart, rows)
