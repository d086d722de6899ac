"""Exact tests, against all ways counted one by one and against networks that have only luck."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from stages.promote.luck import allowed, of_gain, of_guessing


def test_all_candidates_together_have_the_luck_of_one_level():
    shares = [allowed(0.9, k, k) for k in range(1, 5001)]
    assert shares[:3] == pytest.approx([0.1 / 2, 0.1 / 6, 0.1 / 12])
    assert 0.0999 < sum(shares) < 0.1
    assert allowed(0.9, 7, 4) == pytest.approx(sum(shares[3:7]))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32))
def test_the_probability_of_a_gain_is_the_share_of_all_swaps(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 20))
    labels, a, b = rng.integers(0, 3, (3, n))
    groups = rng.integers(0, 8, n)
    swaps = np.array(list(product([False, True], repeat=8)))[:, groups]
    new, old = np.where(swaps, b, a), np.where(swaps, a, b)
    there = np.unique(labels)

    def recall(answers):
        return np.mean([(answers == k)[:, labels == k].mean(1) for k in there], axis=0)

    gains = recall(new) - recall(old)  # the first swaps nothing
    expected = (gains >= gains[0] - 1e-9).mean()
    assert of_gain(labels, a, b, groups) == pytest.approx(expected)
    assert of_gain(labels, a, b, groups) + of_gain(labels, b, a, groups) >= 1 - 1e-9


def test_the_same_answers_are_no_gain():
    labels = np.arange(9) % 3
    assert of_gain(labels, labels, labels, labels) == 1


@pytest.mark.slow
def test_a_gain_on_a_large_test_part_of_uneven_classes():
    rng = np.random.default_rng(0)
    labels = rng.choice(4, 3000, p=[0.5, 0.3, 0.15, 0.05])
    good, better = (np.where(rng.random(3000) < share, labels, -1) for share in (0.7, 0.8))
    assert of_gain(labels, better, good, np.arange(3000)) < 1e-6
    assert of_gain(labels, good, better, np.arange(3000)) > 1 - 1e-6


def test_the_probability_of_a_guess_is_the_share_of_all_deals():
    """Eight people with one to three photos, four of each class: 70 ways to deal the classes."""
    groups = np.repeat(np.arange(8), [1, 2, 3, 1, 2, 1, 1, 2])
    truth = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    predicted = np.array([0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 0, 1])

    def score(of_person):
        return balanced_accuracy_score(of_person[groups], predicted)

    deals = [np.isin(np.arange(8), ones).astype(int) for ones in combinations(range(8), 4)]
    expected = np.mean([score(deal) >= score(truth) - 1e-9 for deal in deals])
    found = of_guessing(truth[groups], predicted, groups, 0.05)
    assert 0.02 < expected < 0.2
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("answer", [0, 1, 2])
def test_one_class_for_all_photos_is_a_guess(answer):
    labels = np.array([0, 0, 0, 0, 1, 1, 2])
    assert of_guessing(labels, np.full(7, answer), np.arange(7), 0.05) == 1


def test_a_network_that_knows_is_no_guess():
    labels = np.arange(24) % 4
    groups = labels + 4 * (np.arange(24) // 8)  # twelve people, two photos of each
    assert of_guessing(labels, labels, groups, 0.05) == 1e-4
    assert of_guessing(labels, labels, groups, 1e-4) == 5e-6  # the tighter, the more deals


@pytest.mark.slow
def test_luck_is_as_rare_as_it_may_be():
    """Twelve people, two photos of each that are answered alike."""
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), 2)
    labels = groups % 4
    guesses = [np.repeat(rng.integers(0, 4, 12), 2) for _ in range(200)]
    lucky = np.mean([of_guessing(labels, each, groups, 0.1) <= 0.1 for each in guesses])
    assert 0.02 < lucky < 0.13
    gains = []
    for _ in range(400):
        right = np.repeat(rng.random((2, 12)) < 0.6, 2, axis=1)
        gains.append(of_gain(labels, *np.where(right, labels, -1), groups) <= 0.1)
    assert 0.02 < np.mean(gains) < 0.13
