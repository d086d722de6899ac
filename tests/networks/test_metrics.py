import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.networks import metrics
from stages.networks.metrics import (
    Difference,
    intervals,
    paired_difference,
    scores,
    share_interval,
)


@st.composite
def answers(draw, most=40):
    """labels (N,), probabilities (N, K) with ties and zeros, and all K classes named."""
    k = draw(st.integers(2, 5))
    n = draw(st.integers(1, most))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    raw = rng.integers(0, 4, (n, k)) + np.eye(k)[rng.integers(0, k, n)]
    return rng.integers(0, k, n), raw / raw.sum(1, keepdims=True)


@settings(deadline=None, max_examples=50)
@given(answers())
def test_scores_are_scikit_learns(answers):
    labels, probabilities = answers
    k, predicted = probabilities.shape[1], probabilities.argmax(1)
    there = np.unique(labels)
    found = scores(labels, probabilities, ordered=True)
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn.metrics.recall_score(
            labels, predicted, labels=there, average="macro"
        ),
        "macro_f1": sklearn.metrics.f1_score(labels, predicted, labels=there, average="macro"),
        "log_loss": sklearn.metrics.log_loss(labels, probabilities, labels=range(k)),
        "group_error": sklearn.metrics.mean_absolute_error(labels, predicted),
        "brier": k * sklearn.metrics.mean_squared_error(np.eye(k)[labels], probabilities),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    if len(np.union1d(labels, predicted)) > 1:
        kappa = sklearn.metrics.cohen_kappa_score(
            labels, predicted, labels=range(k), weights="quadratic"
        )
        assert found["qwk"] == pytest.approx(kappa)


def test_calibration_error_worked_out_by_hand():
    # Two bins of 15: around 0.5 (half right) and around 0.9 (never right).
    probabilities = np.array([[0.52, 0.48]] * 4 + [[0.1, 0.9]] * 2)
    labels = np.array([0, 0, 1, 1, 0, 0])
    assert scores(labels, probabilities)["ece"] == pytest.approx((4 * 0.02 + 2 * 0.9) / 6)
    assert "qwk" not in scores(labels, probabilities)


def test_mean_absolute_error():
    numbers = {"values": np.array([10.0, 20]), "predicted_values": np.array([13.0, 19])}
    assert scores(np.array([0, 1]), np.eye(2), **numbers)["mae"] == 2
    low, high = intervals(np.array([0, 1]), np.eye(2), np.array(["a", "b"]), **numbers)["mae"]
    assert (low, high) == (1, 3)


def test_no_photo_has_no_scores():
    labels, probabilities = np.empty(0, int), np.empty((0, 3))
    assert set(scores(labels, probabilities, ordered=True).values()) == {None}
    assert intervals(labels, probabilities, np.empty(0)) == {}
    with pytest.raises(ValueError, match="no photo"):
        paired_difference(labels, labels, labels, np.empty(0))


@settings(deadline=None, max_examples=25)
@given(answers())
def test_every_score_lies_in_its_interval(answers):
    labels, probabilities = answers
    groups = np.arange(len(labels)) // 2
    found = scores(labels, probabilities, ordered=True)
    for name, (low, high) in intervals(labels, probabilities, groups, ordered=True).items():
        assert low <= high
        if len(labels) > 20 and name in ("accuracy", "log_loss", "brier", "ece"):
            assert low - 1e-9 <= found[name] <= high + 1e-9, name


def simulated(rng, people, photos):
    """Photos of one person are answered alike."""
    groups = np.repeat(np.arange(people), photos)
    labels = np.repeat(rng.integers(0, 2, people), photos)
    right = np.repeat(rng.random(people) < 0.7, photos)
    predicted = np.where(right, labels, 1 - labels)
    return labels, np.eye(2)[predicted] * 0.8 + 0.1, groups


def test_repeated_photos_do_not_narrow_an_interval():
    labels, probabilities, groups = simulated(np.random.default_rng(0), 40, 5)
    by_group = intervals(labels, probabilities, groups)["accuracy"]
    by_photo = intervals(labels, probabilities, np.arange(len(labels)))["accuracy"]
    assert np.diff(by_group) > 1.8 * np.diff(by_photo)  # the root of 5 is 2.2
    once = intervals(labels[::5], probabilities[::5], groups[::5])["accuracy"]
    assert by_group == pytest.approx(once, abs=1e-6)


def test_intervals_hold_the_truth_as_often_as_they_say(monkeypatch):
    monkeypatch.setattr(metrics, "LEVEL", 0.9)
    monkeypatch.setattr(metrics, "RESAMPLES", 300)
    rng = np.random.default_rng(1)
    held = photos_held = 0
    for _ in range(150):
        labels, probabilities, groups = simulated(rng, 50, 3)
        right = probabilities.argmax(1) == labels
        low, high = share_interval(right, groups)
        held += low <= 0.7 <= high
        low, high = share_interval(right, np.arange(len(labels)))
        photos_held += low <= 0.7 <= high
    assert 0.82 < held / 150 < 0.97
    assert photos_held / 150 < 0.8  # a bootstrap over photos promises too much


def test_all_right_is_not_certain():
    labels, groups = np.array([0, 1] * 4), np.arange(8)
    low, high = intervals(labels, np.eye(2)[labels], groups)["balanced_accuracy"]
    assert high == 1 and low == pytest.approx(0.6306, abs=1e-4)  # Clopper and Pearson, 8 of 8
    assert intervals(labels, np.eye(2)[1 - labels], groups)["accuracy"][1] == pytest.approx(1 - low)
    assert share_interval(np.ones(8), np.zeros(8))[0] == pytest.approx(0.025)  # one group


@settings(deadline=None, max_examples=25)
@given(answers(), st.integers(0, 100))
def test_a_difference_is_antisymmetric(answers, seed):
    labels, probabilities = answers
    a = probabilities.argmax(1)
    b = np.random.default_rng(seed).permutation(a)
    groups = np.arange(len(labels)) // 2
    one, other = (paired_difference(labels, *pair, groups) for pair in ((a, b), (b, a)))
    assert one.value == pytest.approx(-other.value)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))
    answered = (np.eye(probabilities.shape[1])[each] for each in (a, b))
    found = [scores(labels, each)["balanced_accuracy"] for each in answered]
    assert one.value == pytest.approx(found[0] - found[1], abs=1e-6)


def test_the_same_answers_differ_by_nothing():
    labels = np.array([0, 1, 1, 0])
    same = paired_difference(labels, labels, labels, np.arange(4))
    assert same == Difference(0, 0, 0)


def test_one_system_surely_better():
    labels = np.arange(60) % 3
    found = paired_difference(labels, labels, np.zeros(60, int), np.arange(60))
    assert found.value == pytest.approx(2 / 3) and found.low > 0.5


def test_the_same_seed_gives_the_same_interval(monkeypatch):
    labels, probabilities, groups = simulated(np.random.default_rng(2), 20, 2)
    one = intervals(labels, probabilities, groups)
    assert one == intervals(labels, probabilities, groups)
    monkeypatch.setattr(metrics, "SEED", 4)
    assert one != intervals(labels, probabilities, groups)
