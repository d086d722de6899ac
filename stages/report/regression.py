"""A network that names numbers: what it said against what is true."""

from typing import Any

import pandas as pd

from stages.report.charts import Axes, mark, nice, panel


def numbers(predictions: pd.DataFrame, part: str, classes: dict[str, Any]) -> dict[str, Any] | None:
    """`chart`: predicted against true number of each photo of `part`; `rows`: a row a class with
    its photos `n`, the mean absolute error `mae`, and the mean error `bias` (above 0: it says too
    much). None: no number of the part is both known and predicted."""
    known = (predictions["value"] != "") & (predictions["predicted_value"] != "")
    here = known & (predictions["part"] == part)
    if not here.any():
        return None
    every = predictions.loc[known, ["value", "predicted_value"]].astype(float)
    ticks = nice(every.min().min(), every.max().max(), 5)  # the same in both exams
    table = predictions[here]
    true, said = every.loc[here, "value"], every.loc[here, "predicted_value"]
    axes = Axes((ticks[0], ticks[-1]), (ticks[0], ticks[-1]))
    ends = [(ticks[0], ticks[0]), (ticks[-1], ticks[-1])]
    lines = [mark(axes.line(ends), "ideal", "exactly right")]
    rows = []
    for name, about in classes.items():
        of_class = (table["label"] == name).to_numpy()
        if not of_class.any():
            continue
        error = said[of_class] - true[of_class]
        dots = axes.dots(zip(true[of_class], said[of_class], strict=True))
        lines.append(mark(dots, "dots class", about["title"], width=7, hue=about["hue"]))
        rows.append(
            {
                "name": name,
                "n": int(of_class.sum()),
                "mae": float(error.abs().mean()),
                "bias": float(error.mean()),
            }
        )
    shown = (ticks, "{:g}")
    about = "predicted, by true number"
    chart = panel(part.capitalize(), axes, lines, about=about, x_ticks=shown, y_ticks=shown)
    return {"chart": chart, "rows": rows}
