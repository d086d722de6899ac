import numpy as np
import pytest
from scipy.special import softmax

from stages.common.errors import UserError
from stages.evaluate.effect import effect
from stages.networks.calibrate import fit_sigma, fit_temperature, fit_within

BINS = {"minor": (0, 18), "adult": (19, 120)}


def too_sure(temperature, n=4000):
    """Outputs of a network whose logits are `temperature` times what its labels deserve."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (n, 3))
    labels = (softmax(logits, 1).cumsum(1) > rng.random((n, 1))).argmax(1)
    return softmax(logits * temperature, 1).astype(np.float32), labels


@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.5])
def test_the_temperature_is_found_again(temperature):
    outputs, labels = too_sure(temperature)
    found = fit_temperature(outputs, labels)
    assert found.temperature == pytest.approx(temperature, rel=0.07)
    before, after = effect(outputs, labels, found)
    assert after.log_loss <= before.log_loss + 1e-9
    if temperature == 2.5:
        assert after.ece < 0.03 < 0.1 < before.ece


def test_one_sigmoid_unit():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, 4000)
    labels = (rng.random(4000) < 1 / (1 + np.exp(-logits))).astype(int)
    outputs = (1 / (1 + np.exp(-3 * logits))).astype(np.float32)[:, None]
    assert fit_temperature(outputs, labels).temperature == pytest.approx(3, rel=0.07)


def test_without_mistakes_there_is_no_temperature():
    labels = np.array([0, 1, 2] * 5)
    found = fit_temperature((np.eye(3)[labels] * 0.7 + 0.1).astype(np.float32), labels)
    assert found.temperature == 1 and "too few mistakes" in found.note


def test_an_empty_val():
    found = fit_temperature(np.empty((0, 3), np.float32), np.empty(0, int))
    assert found.temperature == 1 and "no pictures" in found.note
    assert effect(np.empty((0, 3), np.float32), np.empty(0, int), found)[1].ece is None


def test_sigma_is_the_likeliest():
    rng = np.random.default_rng(2)
    values = rng.uniform(0, 90, 3000)
    outputs = (values + rng.normal(0, 7, 3000)).astype(np.float32)[:, None]
    found = fit_sigma(outputs, values, BINS)
    assert found.sigma == pytest.approx(7, rel=0.05)
    assert found.bins == {"minor": (0, 18), "adult": (19, 120)}
    with pytest.raises(UserError, match="no picture has a number"):
        fit_sigma(outputs, np.full(3000, np.nan), BINS)


def test_80_percent_of_new_photos_lie_within():
    rng = np.random.default_rng(3)

    def share() -> float:
        """Of new errors, for a range that is fitted on as few as 19."""
        errors = rng.standard_t(3, 1019)
        within = fit_within(errors[:19], np.zeros(19))
        return float((np.abs(errors[19:]) <= within).mean())

    # Exactly 16 / 20 on average; the standard error of 400 such shares is below 0.005
    assert np.mean([share() for _ in range(400)]) == pytest.approx(0.8, abs=0.015)


@pytest.mark.parametrize("n, found", [(0, None), (3, None), (4, 4), (5, 5), (9, 8), (10, 9)])
def test_within_is_one_of_the_errors_on_val(n, found):
    values = np.concatenate([np.arange(1.0, n + 1), [np.nan, np.nan]])
    assert fit_within(np.zeros(n + 2), values) == found
