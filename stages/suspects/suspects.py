"""Labels that are probably wrong, for somebody to look at; nothing is removed.

Confident learning (Northcutt, Jiang and Chuang, 2021, https://doi.org/10.1613/jair.1.12125) on
probabilities that a simple classifier gives photos it was not trained on. Its few lines are here:
to import cleanlab takes six seconds, for it looks into TensorFlow.
"""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FOLDS = 5
COMPONENTS = 100  # of the features: more than these fit noise


def suspects(table: pd.DataFrame, features: np.ndarray) -> pd.DataFrame:
    """A row a photo, the least likely label first: id, label, likely, p_label, p_likely, suspect.

    table: id, label, group; features: (n, d). `likely` is the label that the classifier would
    give, `p_` its probability of each of the two; `suspect` is 1 where confident learning holds
    the label for wrong. Groups stay whole: of two copies, one would tell the other's label.
    """
    labels, names = pd.factorize(table.label, sort=True)
    fewest = table.groupby("label").group.nunique().min()
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=0)
    smallest = len(table) // 3  # surely fewer photos than any fold trains on
    model = make_pipeline(
        StandardScaler(),
        PCA(min(COMPONENTS, smallest, features.shape[1]), random_state=0),
        LogisticRegression(C=0.001, class_weight="balanced", max_iter=1000),
    )
    probability = cross_val_predict(
        model, features, labels, groups=table.group, cv=folds, method="predict_proba"
    )
    likely = probability.argmax(1)
    rows = np.arange(len(table))
    wrong = confidently_other(labels, probability)
    result = pd.DataFrame(
        {
            "id": table.id,
            "label": table.label,
            "likely": names[likely],
            "p_label": probability[rows, labels],
            "p_likely": probability[rows, likely],
            "suspect": wrong.astype(int),
        }
    )
    return result.sort_values(["p_label", "id"], ignore_index=True)


def confidently_other(labels: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """(n,) bool: is the label, of (n,) int, not the one that (n, classes) is most confident of?

    Confident of a class is a photo that has at least the probability which the photos labelled so
    have on average: classes that are hard to tell need less.
    """
    average = [probability[labels == name, name].mean() for name in range(probability.shape[1])]
    confident = np.where(probability >= average, probability, 0)
    return confident.any(1) & (confident.argmax(1) != labels)
