"""Logistic regression on what a function sees in a picture; for the classical baselines."""

from collections.abc import Callable

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from stages.baseline.system import JUDGED, Fitted, Job
from stages.common.parallel import progress
from stages.records.shards import Shards

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # inverse of the regularisation, C
BATCH = 256  # pictures in memory at a time


def fit(job: Job, describe: Callable[[np.ndarray], np.ndarray], name: str) -> Fitted:
    """Fitted on the training photos as they are (copy 0 of each); C has the least log loss on val.

    `describe`: one picture, uint8 (H, W, C) -> its features, float (d,).
    """
    train = job.parts["train"]
    originals = np.flatnonzero(train.index()["copy"].to_numpy() == 0)
    seen = {part: np.arange(len(job.parts[part])) for part in JUDGED}
    features = {part: _features(job.parts[part], rows, describe) for part, rows in seen.items()}
    x, y = _features(train, originals, describe, name), train.labels[originals]
    labels = job.parts["val"].labels
    with threadpool_limits(1):  # threads wait for one another longer than such small sums take
        models = [_model(c).fit(x, y) for c in STRENGTHS]
    losses = [
        log_loss(labels, _probabilities(model, features["val"], job.n_classes),
                 labels=range(job.n_classes))
        for model in models
    ]  # fmt: skip
    best = int(np.argmin(losses))
    answers = {
        part: _probabilities(models[best], found, job.n_classes) for part, found in features.items()
    }
    settings = {"C": STRENGTHS[best], "features": x.shape[1], "photos": len(x)}
    return Fitted(answers, settings, parameters=models[best][-1].coef_.size + job.n_classes)


def _model(c: float) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))


def _probabilities(model: Pipeline, features: np.ndarray, n_classes: int) -> np.ndarray:
    """(n, K); a class that train has no photo of gets 0."""
    found = np.zeros((len(features), n_classes))
    if len(features):
        found[:, model.classes_] = model.predict_proba(features)
    return found


def _features(
    shards: Shards,
    rows: np.ndarray,
    describe: Callable[[np.ndarray], np.ndarray],
    name: str | None = None,
) -> np.ndarray:
    starts = range(0, len(rows), BATCH)
    if name:
        starts = progress(starts, desc=name, total=len(starts), unit="batch")
    found = [
        describe(picture)
        for start in starts
        for picture in shards.read(rows[start : start + BATCH])
    ]
    return np.array(found, np.float64)
