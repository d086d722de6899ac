"""What the evaluation knows a picture and an epoch, as tables."""

from typing import Any

import numpy as np
import pandas as pd

CURVES = ("loss", "val_loss", "accuracy", "val_accuracy")


def prediction_table(
    ids: list[str], part: str, labels: np.ndarray, probabilities: np.ndarray, classes: list[str]
) -> pd.DataFrame:
    """A row a picture: id, part, label, predicted, and p_<class> for each class."""
    names = np.array(classes, dtype=object)
    table = pd.DataFrame(
        {
            "id": ids,
            "part": part,
            "label": names[labels],
            "predicted": names[probabilities.argmax(1)],
        }
    )
    return table.assign(**{f"p_{name}": probabilities[:, k] for k, name in enumerate(classes)})


def confusion_table(predictions: pd.DataFrame, part: str) -> pd.DataFrame:
    """Of one part a row a picture, actual and predicted: what `dvc plots` makes its matrix of."""
    rows = predictions.loc[predictions["part"] == part, ["label", "predicted", "part"]]
    return rows.rename(columns={"label": "actual"})


def curves(search: dict[str, Any]) -> pd.DataFrame:
    """The winning trial of a trials.json: trial, epoch, loss, val_loss, accuracy, val_accuracy."""
    best = next(trial for trial in search["trials"] if trial["trial"] == search["best"])
    table = pd.DataFrame(best["epochs"], columns=["epoch", *CURVES])
    table.insert(0, "trial", best["trial"])
    return table
