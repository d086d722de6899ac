"""The first number of an exam: accuracy, or how far a network that names numbers is off."""

from functools import partial
from typing import Any

import pandas as pd

from stages.report.bars import bar
from stages.report.render import fixed, percent
from stages.report.verdict import beyond, level, names_numbers

ROOM = 1.25  # an error has no upper end: its line is so much longer than what stands on it


def headline(exam: dict[str, Any]) -> dict[str, Any] | None:
    """What is said first of an exam of `evaluation.json` with `mae_baseline` (see below): its
    `text` and `name`, whether it is about `numbers`, what `chance` reaches, the line's `ends`, and
    `bars`, each with its number, its 95 % interval in words, and what the macro `range` draws.

    None: there are no photos.
    """
    if not exam["n"]:
        return None
    if names_numbers(exam):
        error, chance = exam["intervals"]["mae"], exam["mae_baseline"]
        top = ROOM * max(error[1], chance)
        shown = [("mean absolute error", exam["mae"], *error, chance, level(exam))]
        chance_name, text = "Most central number, always", partial(fixed, digits=1)
    else:
        chance, even = exam["baseline_accuracy"], 1 / _classes(exam)
        accuracy = (exam["accuracy"], exam["accuracy_low"], exam["accuracy_high"])
        balanced = (exam["balanced_accuracy"], *exam["intervals"]["balanced_accuracy"])
        shown = [
            ("accuracy", *accuracy, chance, level(exam)),
            ("balanced accuracy", *balanced, even, beyond(*balanced[1:], even)),
        ]
        chance_name, top, text = "Most frequent class, always", 1.0, percent
    bars = [
        {
            "name": name,
            "text": text(value),
            "interval": f"{text(low)} to {text(high)}",
            "bar": bar(value, low, high, tick=tick, level=judged, top=top, text=text),
        }
        for name, value, low, high, tick, judged in shown
    ]
    return {
        "name": bars[0]["name"],
        "text": bars[0]["text"],
        "bars": bars,
        "numbers": names_numbers(exam),
        "chance": text(chance),
        "chance_name": chance_name,
        "ends": [text(share * top) for share in (0, 0.5, 1)],
    }


def _classes(exam: dict[str, Any]) -> int:
    """How many of them have photos."""
    return sum(found["support"] > 0 for found in exam["per_class"].values())


def mae_baseline(predictions: pd.DataFrame, part: str) -> float | None:
    """The mean absolute error of always naming the part's median; None without numbers.

    As `baseline_accuracy` it takes the answer from the exam itself: the best that knows no photo.
    """
    values = predictions.loc[predictions["part"] == part, "value"]
    numbers = pd.to_numeric(values[values != ""])
    return float((numbers - numbers.median()).abs().mean()) if len(numbers) else None
