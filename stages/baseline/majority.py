"""The most frequent class of train, whatever the picture shows."""

import numpy as np

from stages.baseline.system import JUDGED, Fitted, Job


def fit(job: Job) -> Fitted:
    """Its probabilities are the shares of the classes in train."""
    counts = np.bincount(job.parts["train"].labels, minlength=job.n_classes)
    shares = counts / counts.sum()
    answers = {part: np.tile(shares, (len(job.parts[part]), 1)) for part in JUDGED}
    return Fitted(answers, {"share": round(float(shares.max()), 4)})
