"""What the evaluation knows a picture and an epoch, as tables."""

from typing import Any

import numpy as np
import pandas as pd

from stages.evaluate.calibrate import best_trial

CURVES = ("loss", "val_loss", "accuracy", "val_accuracy", "mae", "val_mae")
UNSURE = "unsure"


def prediction_table(
    photos: pd.DataFrame,
    part: str,
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: list[str],
    *,
    unsure_below: float,
    predicted_values: np.ndarray | None,
) -> pd.DataFrame:
    """A row a picture: id, part, label, predicted, confidence, answer (predicted, or unsure),
    group, value, predicted_value (of a regression), and p_<class> for each class.

    `photos`: id, group and value of each.
    """
    names = np.array(classes, dtype=object)
    predicted, confidence = names[probabilities.argmax(1)], probabilities.max(1)
    table = pd.DataFrame(
        {
            "id": photos["id"].to_numpy(),
            "part": part,
            "label": names[labels],
            "predicted": predicted,
            "confidence": confidence,
            "answer": np.where(confidence >= unsure_below, predicted, UNSURE),
            "group": photos["group"].to_numpy(),
            "value": photos["value"].to_numpy(),
            "predicted_value": "" if predicted_values is None else predicted_values,
        }
    )
    return table.assign(**{f"p_{name}": probabilities[:, k] for k, name in enumerate(classes)})


def confusion_table(predictions: pd.DataFrame, part: str) -> pd.DataFrame:
    """Of one part a row a picture, actual and predicted: what `dvc plots` makes its matrix of."""
    rows = predictions.loc[predictions["part"] == part, ["label", "predicted", "part"]]
    return rows.rename(columns={"label": "actual"})


def curves(search: dict[str, Any]) -> pd.DataFrame:
    """The winning trial of a trials.json: trial, epoch, loss, val_loss, and of a classification
    accuracy, val_accuracy, of a regression mae, val_mae."""
    best = best_trial(search)
    table = pd.DataFrame(best["epochs"])
    table = table[["epoch", *(name for name in CURVES if name in table)]]
    table.insert(0, "trial", best["trial"])
    return table
