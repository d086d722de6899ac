"""Logistic regression on features of the pictures; for the classical baselines."""

from collections.abc import Callable, Iterable

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
BATCH = 256  # pictures in memory at a time

# One picture, uint8 (H, W, C) -> its features, float (d,)
Describe = Callable[[np.ndarray], np.ndarray]


def fit(job: Job, describe: Describe, name: str) -> Fitted:
    """Fitted on the training photos as they are (copy 0 of each); C has the least log loss on val.

    `name`: shown beside the progress bar.
    """
    train = job.parts["train"]
    originals = np.flatnonzero(train.index()["copy"].to_numpy() == 0)
    features = {
        part: _features(job.parts[part], np.arange(len(job.parts[part])), describe)
        for part in JUDGED
    }
    x, y = _features(train, originals, describe, name), train.labels[originals]
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
    pictures: Pictures, rows: np.ndarray, describe: Describe, name: str | None = None
) -> np.ndarray:
    """float64 (len(rows), d); with a progress bar if there is a `name`."""
    starts: Iterable[int] = range(0, len(rows), BATCH)
    if name:
        starts = progress(starts, desc=name, total=len(starts), unit="batch")
    found = [
        describe(picture)
        for start in starts
        for picture in pictures.read(rows[start : start + BATCH])
    ]
    return np.array(found, np.float64)
