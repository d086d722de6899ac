"""Greedy ensemble selection, and one network that answers as its members together."""

import keras
import numpy as np
import pytest

from stages.networks.cost import cost
from stages.records.trials import Member
from stages.search.ensemble import choose, combined, mean_answer
from stages.search.trial.answers import Answers
from stages.search.trial.features import halves
from tests.search.test_features import network, pictures

pytestmark = pytest.mark.slow

TRUTH = np.array([0.0, 1.0, 2.0, 3.0])


def answers(*errors, trunk="t", trunk_cost=10.0, cost=1.0):
    """A trial that is wrong by `errors`; mirrored it is far off."""
    plain = (TRUTH + np.array(errors))[:, None]
    return Answers(plain, plain + 100, trunk, trunk_cost, cost)


def squared(answer):
    return float(((answer[:, 0] - TRUTH) ** 2).mean())


def test_trials_that_err_in_opposite_ways_go_together():
    known = {0: answers(1, 1, 1, 1), 1: answers(-1, -1, -1, -1), 2: answers(9, 9, 9, 9)}
    members, error = choose(known, 0, 5, squared)
    assert members == [Member(0, False, 0.5), Member(1, False, 0.5)]
    assert error == 0 == squared(mean_answer(known, members))


def test_the_best_one_stays_alone_where_nothing_helps_or_nothing_is_allowed():
    known = {0: answers(1, 1, 1, 1), 1: answers(2, 2, 2, 2)}
    assert choose(known, 0, 5, squared) == ([Member(0, False, 1.0)], 1.0)
    known[1] = answers(-1, -1, -1, -1)
    assert choose(known, 0, 1, squared)[0] == [Member(0, False, 1.0)]


def test_the_mirrored_picture_is_a_member_like_any_other():
    known = {0: answers(1, 1, 1, 1)._replace(mirrored=(TRUTH - 1)[:, None])}
    assert choose(known, 0, 5, squared)[0] == [Member(0, False, 0.5), Member(0, True, 0.5)]


def test_members_together_take_at_most_three_times_the_best_ones_time():
    slow = answers(-1, -1, -1, -1, trunk="other", trunk_cost=30.0)
    members, _ = choose({0: answers(1, 1, 1, 1), 1: slow}, 0, 5, squared)
    assert members == [Member(0, False, 1.0)]
    bearable = slow._replace(trunk_cost=20.0)
    assert len(choose({0: answers(1, 1, 1, 1), 1: bearable}, 0, 5, squared)[0]) == 2
    shared = slow._replace(trunk="t")  # one trunk: computed once
    assert len(choose({0: answers(1, 1, 1, 1), 1: shared}, 0, 5, squared)[0]) == 2


def test_the_cost_of_a_network_is_its_multiplications():
    pixels = keras.Input((8, 8, 3))
    node = keras.layers.Conv2D(5, 3, padding="same")(pixels)
    node = keras.layers.Flatten()(node)
    found = cost(keras.Model(pixels, keras.layers.Dense(2)(node)))
    assert found == pytest.approx(8 * 8 * 3 * 3 * 3 * 5 + 8 * 8 * 5 * 2, rel=0.1)


def test_the_combined_network_gives_the_weighted_mean_and_shares_its_trunk(tmp_path):
    one, two = network(), network()
    two.layers[-1].set_weights([w + 1 for w in two.layers[-1].get_weights()])
    assert halves(one).trunk.to_json() == halves(two).trunk.to_json()
    some = pictures(6)
    members = [Member(0, False, 0.5), Member(1, False, 0.25), Member(1, True, 0.25)]
    expected = (
        0.5 * one.predict_on_batch(some)
        + 0.25 * two.predict_on_batch(some)
        + 0.25 * two.predict_on_batch(some[:, :, ::-1])
    )
    model = combined({0: one, 1: two}, members)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    for each in (model, loaded):
        np.testing.assert_allclose(each.predict_on_batch(some), expected, rtol=1e-4, atol=1e-5)
    trunks = [layer for layer in model.layers if layer.name.startswith("trunk")]
    assert len(trunks) == 1


def test_one_member_is_the_network_itself():
    one = network()
    assert combined({3: one}, [Member(3, False, 1.0)]) is one
