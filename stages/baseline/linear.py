"""Logistic regression on features of the pictures; for the classical baselines."""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from stages.baseline.system import JUDGED, Fitted, Job
from stages.common.parallel import progress
from stages.records.shards import Pictures

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse of the regularisation, C
BATCH = 64  # pictures in memory at a time

# Pixels 0 to 255, a Keras tensor (N, H, W, C) -> their features, (N, d)
Describe = Callable[[Any], Any]


def fit(job: Job, describe: Describe, name: str) -> Fitted:
    """Fitted on the training photos as they are (copy 0 of each); C has the least log loss on val.

    `name`: shown beside the progress bar.
    """
    train = job.parts["train"]
    originals = np.flatnonzero(train.index()["copy"].to_numpy() == 0)
    pictures = keras.Input(train.shape[1:], dtype="uint8")
    trunk = keras.Model(pictures, describe(pictures))
    features = {
        part: _features(job.parts[part], np.arange(len(job.parts[part])), trunk) for part in JUDGED
    }
    x, y = _features(train, originals, trunk, name), train.labels[originals]
    labels, classes = job.parts["val"].labels, range(job.n_classes)
    with threadpool_limits(1):  # threads wait for one another longer than such small sums take
        models = [_model(c).fit(x, y) for c in STRENGTHS]
    on_val = [_probabilities(model, features["val"], job.n_classes) for model in models]
    losses = [log_loss(labels, answers, labels=classes) for answers in on_val]
    best = int(np.argmin(losses))
    answers = {
        part: _probabilities(models[best], found, job.n_classes) for part, found in features.items()
    }
    return Fitted(
        answers,
        {"C": STRENGTHS[best], "features": x.shape[1], "photos": len(x)},
        parameters=models[best][-1].coef_.size + job.n_classes,
    )


def _model(c: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))


def _probabilities(model: Pipeline, features: np.ndarray, n_classes: int) -> np.ndarray:
    """(n, K); a class that train has no photo of gets 0."""
    found = np.zeros((len(features), n_classes))
    if len(features):
        found[:, model.classes_] = model.predict_proba(features)
    return found


def _features(
    pictures: Pictures, rows: np.ndarray, trunk: keras.Model, name: str | None = None
) -> np.ndarray:
    """float64 (len(rows), d); with a progress bar if there is a `name`."""
    starts: Iterable[int] = range(0, len(rows), BATCH)
    if name:
        starts = progress(starts, desc=name, total=len(starts), unit="batch")
    found = np.empty((len(rows), trunk.output_shape[-1]))
    for start in starts:
        now = slice(start, start + BATCH)
        found[now] = trunk.predict_on_batch(pictures.read(rows[now]))
    return found
