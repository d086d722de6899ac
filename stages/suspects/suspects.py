"""Labels that are probably wrong, for people to look at; nothing is removed.

Confident learning (Northcutt, Jiang and Chuang, 2021, https://doi.org/10.1613/jair.1.12125) on the
probabilities that a simple classifier gives to photos it was not trained on. Its few lines are
written here because importing cleanlab takes six seconds: it imports TensorFlow.
"""

from typing import Protocol

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

FOLDS = 5
COMPONENTS = 100  # of the features: more than these fit noise
FIT = 1000  # photos of a class that a fold is fitted on, at most: more would tell it nothing new
BATCH = 1000  # photos that are read at a time


class Features(Protocol):
    """(n, d): an array, or one on disk such as `stages.common.reuse.Arrays`."""

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray: ...


def suspects(table: pd.DataFrame, features: Features) -> pd.DataFrame:
    """A row for each photo, as `stages.records.suspects.Suspect`, the least likely label first.

    `table`: columns id, label and group; `features`: (n, d). Groups are not divided between folds:
    a copy in the training part would give the label away. Memory holds `FIT` photos of each class,
    however many there are.
    """
    labels, names = pd.factorize(table.label, sort=True)
    probability = np.empty((len(table), len(names)), np.float32)
    fewest = table.groupby("label").group.nunique().min()
    folds = StratifiedGroupKFold(min(FOLDS, fewest), shuffle=True, random_state=0)
    smallest = len(table) // 3  # fewer photos than any fold trains on
    for train, rest in folds.split(labels, labels, table.group):
        rows = _at_most(FIT, train, labels)
        known = features[rows]
        model = make_pipeline(
            StandardScaler(),
            PCA(min(COMPONENTS, smallest, known.shape[1]), random_state=0),
            LogisticRegression(C=0.001, class_weight="balanced", max_iter=1000),
        )
        # With more threads the last digits depend on the number of cores, and small matrices take
        # several times as long.
        with threadpool_limits(1):
            model.fit(known, labels[rows])
            for start in range(0, len(rest), BATCH):
                batch = rest[start : start + BATCH]
                probability[batch] = model.predict_proba(features[batch])
    likely = probability.argmax(1)
    rows, shown = np.arange(len(table)), probability.astype(float).round(6)
    wrong = confidently_other(labels, probability)
    result = pd.DataFrame(
        {
            "id": table.id,
            "label": table.label,
            "likely": names[likely],
            "p_label": shown[rows, labels],
            "p_likely": shown[rows, likely],
            "suspect": wrong,
        }
    )
    return result.sort_values(["p_label", "id"], ignore_index=True)


def _at_most(count: int, rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """`rows` in their order, but of each label only `count` at random where it has more."""
    shuffled = pd.Series(np.random.default_rng(0).permutation(rows))
    return np.sort(shuffled[shuffled.groupby(labels[shuffled]).cumcount() < count].to_numpy())


def confidently_other(labels: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """(n,) bool: whether the photos are confidently of another class than their label.

    `labels`: (n,) int; `probability`: (n, classes). A photo is confidently of a class if the
    class's probability is at least its mean over the photos with that label, so that classes which
    are hard to tell apart need less. Of several such classes the likeliest counts.
    """
    average = [probability[labels == name, name].mean() for name in range(probability.shape[1])]
    confident = np.where(probability >= average, probability, 0)
    return confident.any(1) & (confident.argmax(1) != labels)
