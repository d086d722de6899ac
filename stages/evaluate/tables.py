"""What the exam knows about each picture and each epoch, as rows of tables."""

import numpy as np

from stages.networks.part import Part
from stages.records.evaluation import Call, Curve
from stages.records.predictions import UNSURE, Prediction
from stages.records.trials import Trials

CURVES = ("loss", "val_loss", "accuracy", "val_accuracy", "mae", "val_mae")


def predictions(
    part: Part,
    probabilities: np.ndarray,
    classes: list[str],
    *,
    unsure_below: float,
    predicted_values: np.ndarray | None,
) -> list[Prediction]:
    """A row for each picture. `probabilities`: float (N, K); `predicted_values`: float (N,); None
    if the network tells no numbers."""
    rows = []
    for number, each in enumerate(probabilities):
        predicted, confidence = classes[each.argmax()], float(each.max())
        value = float(part.values[number])
        rows.append(
            Prediction(
                id=part.ids[number],
                part=part.name,
                label=classes[part.labels[number]],
                predicted=predicted,
                confidence=confidence,
                answer=predicted if confidence >= unsure_below else UNSURE,
                group=part.groups[number],
                value=None if np.isnan(value) else value,
                predicted_value=(
                    None if predicted_values is None else float(predicted_values[number])
                ),
                probabilities=dict(zip(classes, each.tolist(), strict=True)),
            )
        )
    return rows


def calls(rows: list[Prediction], part: str) -> list[Call]:
    """Of one part, what the confusion matrix of `dvc plots` counts."""
    return [Call(each.label, each.predicted, each.part) for each in rows if each.part == part]


def curves(trials: Trials) -> list[Curve]:
    """The winning trial's loss on train and val, and accuracy or mean absolute error."""
    best = trials.best
    measured = [name for name in CURVES if any(name in each.metrics() for each in best.epochs)]
    return [
        Curve(best.trial, each.epoch, {name: getattr(each, name) for name in measured})
        for each in best.epochs
    ]
