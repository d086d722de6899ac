"""What a calibration did on val."""

import numpy as np

from stages.networks.metrics import scores
from stages.networks.predict import class_probabilities
from stages.records.calibration import Calibration, Temperature
from stages.records.evaluation import CalibrationEffect, CalibrationReport


def effect(
    raw: np.ndarray, labels: np.ndarray, calibration: Calibration
) -> tuple[CalibrationEffect | None, CalibrationEffect]:
    """How good probabilities are before and after a calibration. A regression has none before."""

    def measured(applied: Calibration) -> CalibrationEffect:
        found = scores(labels, class_probabilities(raw, applied))
        return CalibrationEffect(log_loss=found["log_loss"], ece=found["ece"])

    before = measured(Temperature(1.0)) if isinstance(calibration, Temperature) else None
    return before, measured(calibration)


def report(
    calibration: Calibration, before: CalibrationEffect | None, after: CalibrationEffect
) -> CalibrationReport:
    """`before`, `after`: what `effect` found on val."""
    of_classes = isinstance(calibration, Temperature)
    return CalibrationReport(
        kind="classification" if of_classes else "regression",
        temperature=calibration.temperature if of_classes else None,
        sigma=None if of_classes else calibration.sigma,
        within=calibration.within,
        note=calibration.note,
        before=before,
        after=after,
    )
