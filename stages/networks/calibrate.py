"""How confident an answer may be, and how wide the range of its number is, learnt on val."""

import math

import numpy as np
from msgspec.structs import replace
from scipy.optimize import minimize_scalar

from stages.common.errors import UserError
from stages.networks.predict import class_probabilities
from stages.records.calibration import RANGE_LEVEL, Calibration, Sigma, Temperature
from stages.records.trials import Outputs

COLDEST, HOTTEST = 0.5, 20.0
Bins = dict[str, tuple[float, float]]


def fit(on_val: Outputs, labels: np.ndarray, values: np.ndarray, bins: Bins | None) -> Calibration:
    """The calibration of a network that answers `on_val` to photos it has not trained on.

    `labels`: int (N,); `values`: float (N,), the photos' numbers, NaN where unknown. `bins`: those
    of a regression, None for a classification.
    """
    if bins:
        found, numbers = fit_sigma(on_val.raw, values, bins), on_val.raw[:, 0]
    else:
        found, numbers = fit_temperature(on_val.raw, labels), on_val.values
    return found if numbers is None else replace(found, within=fit_within(numbers, values))


def fit_temperature(raw: np.ndarray, labels: np.ndarray) -> Temperature:
    """The temperature of largest likelihood (Guo et al. 2017, https://arxiv.org/abs/1706.04599)
    for `Outputs.raw`, (N, K) or (N, 1), against `labels`, int (N,)."""
    if not len(labels):
        return Temperature(1.0, "val has no pictures to find a temperature on")

    def loss(log_temperature: float) -> float:
        found = class_probabilities(raw, Temperature(float(np.exp(log_temperature))))
        return -float(np.log(found[np.arange(len(labels)), labels]).mean())

    found = minimize_scalar(loss, bounds=np.log([COLDEST, HOTTEST]), method="bounded")
    temperature = float(np.exp(found.x))
    if temperature < COLDEST * 1.01:
        # Without mistakes the likelihood grows as the temperature falls to 0: every answer would
        # be certain, the first wrong one too.
        return Temperature(1.0, "val has too few mistakes to find a temperature on")
    return Temperature(temperature)


def fit_sigma(raw: np.ndarray, values: np.ndarray, bins: Bins) -> Sigma:
    """The normal distribution of largest likelihood for the errors of `raw`, float32 (N, 1),
    against `values`, float (N,), NaN where unknown: sigma is the root mean squared error.

    Raises `UserError` where no value is known.
    """
    errors = raw[:, 0] - values
    if not np.isfinite(errors).any():
        raise UserError("val: no picture has a number to find a regression's sigma with")
    # An error of 0 (one picture in val, say) must not make every answer certain.
    return Sigma(max(float(np.sqrt(np.nanmean(errors**2))), 1e-3), bins)


def fit_within(predicted: np.ndarray, values: np.ndarray) -> float | None:
    """How far a photo's number is at most from the network's number, for 80 % of new photos.

    Split-conformal prediction (Lei et al. 2018, https://doi.org/10.1080/01621459.2017.1307116): of
    n errors, the ceil(0.8 (n + 1))-th smallest. `predicted`, `values`: float (N,), the latter NaN
    where unknown. None if fewer than 4 are known.
    """
    errors = np.abs(values - predicted)
    errors = np.sort(errors[np.isfinite(errors)])
    rank = math.ceil(round(RANGE_LEVEL * (len(errors) + 1), 6))
    return float(errors[rank - 1]) if rank <= len(errors) else None
