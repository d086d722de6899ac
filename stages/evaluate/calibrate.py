"""How sure an answer may sound, learnt on val."""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.metrics import log_loss

from stages.common.errors import UserError
from stages.common.metrics import scores
from stages.common.predict import class_probabilities

COLDEST, HOTTEST = 0.5, 20.0


def fit_temperature(outputs: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Temperature scaling (Guo et al. 2017, https://arxiv.org/abs/1706.04599): the calibration of
    largest likelihood for a network's `outputs` against `labels`, int (N,)."""
    if not len(labels):
        return _classification(1.0, "val has no pictures to find a temperature on")

    def loss(log_temperature: float) -> float:
        found = class_probabilities(outputs, _classification(float(np.exp(log_temperature))))
        return log_loss(labels, found, labels=range(found.shape[1]))

    found = minimize_scalar(loss, bounds=np.log([COLDEST, HOTTEST]), method="bounded")
    temperature = float(np.exp(found.x))
    if temperature < COLDEST * 1.01:
        # Without mistakes the likelihood rises without end, and the first mistake would be a
        # confident one.
        return _classification(1.0, "val has too few mistakes to find a temperature on")
    return _classification(temperature)


def fit_sigma(
    outputs: np.ndarray, values: np.ndarray, bins: dict[str, tuple[float, float]]
) -> dict[str, Any]:
    """The normal distribution of largest likelihood for the errors of `outputs`, float32 (N, 1),
    against `values`, float (N,), centred on the output: sigma is the root mean squared error."""
    errors = outputs[:, 0] - values
    if not np.isfinite(errors).any():
        raise UserError("val: no picture has a number to find a regression's sigma with")
    return _regression(float(np.sqrt(np.nanmean(errors**2))), bins)


def after_final_fit(
    trials: dict[str, Any], bins: dict[str, tuple[float, float]] | None
) -> dict[str, Any]:
    """The calibration of a network that has trained on val too, from its trials.json.

    `bins`: of a regression; None: classification.
    """
    why = "the network has trained on val too"
    if bins is None:
        return _classification(1.0, f"{why}, so no temperature could be found on it")
    epochs = best_trial(trials)["epochs"]
    mae = min(epochs, key=lambda epoch: epoch["val_loss"])["val_mae"]
    # Of a normal distribution the mean absolute deviation is sigma times the root of 2 / pi.
    note = f"{why}: sigma is from the mean absolute error that the winner had on it before"
    return _regression(mae * float(np.sqrt(np.pi / 2)), bins, note)


def best_trial(trials: dict[str, Any]) -> dict[str, Any]:
    return next(trial for trial in trials["trials"] if trial["trial"] == trials["best"])


def effect(
    outputs: np.ndarray, labels: np.ndarray, calibration: dict[str, Any]
) -> dict[str, dict[str, float | None] | None]:
    """log_loss and ece `before` and `after` a calibration; before it, a regression has none."""

    def measured(applied: dict[str, Any]) -> dict[str, float | None]:
        found = scores(labels, class_probabilities(outputs, applied))
        return {name: found[name] for name in ("log_loss", "ece")}

    regression = calibration["kind"] == "regression"
    before = None if regression else measured(_classification(1.0))
    return {"before": before, "after": measured(calibration)}


def _classification(temperature: float, note: str | None = None) -> dict[str, Any]:
    return {"kind": "classification", "temperature": temperature, "note": note}


def _regression(
    sigma: float, bins: dict[str, tuple[float, float]], note: str | None = None
) -> dict[str, Any]:
    spans = {name: list(span) for name, span in bins.items()}
    # One val picture, or a network that knows the numbers by heart, would be infinitely sure.
    return {"kind": "regression", "sigma": max(sigma, 1e-3), "bins": spans, "note": note}
