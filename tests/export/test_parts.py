"""The parts of a network answer as the whole, and tasks share the trunk."""

import keras
import numpy as np
import pytest

from stages.export.parts import parts
from stages.records.trials import Member
from stages.search.ensemble import combined
from tests.export import small
from tests.networks.saved import faces

pytestmark = pytest.mark.slow


def answers(found, pictures):
    def view(name):
        seen = pictures[:, :, ::-1] if name.startswith("mirrored") else pictures
        return seen if name.endswith("pixels") else found.trunk.predict_on_batch(seen)

    given = [view(name) for name in found.views]
    said = found.rest.predict_on_batch(given if len(given) > 1 else given[0])
    return said if isinstance(said, list) else [said]


MEMBERS = {
    "alone": [Member(0, False, 1.0)],
    "two heads": [Member(0, False, 0.5), Member(1, False, 0.5)],
    "mirrored": [Member(0, False, 0.5), Member(0, True, 0.5)],
    "only mirrored": [Member(0, True, 1.0)],
    "beside another": [Member(0, True, 0.25), Member(1, False, 0.25), Member(2, False, 0.5)],
    "another mirrored": [Member(0, False, 0.5), Member(2, True, 0.5)],
    "without a face": [Member(2, True, 0.5), Member(2, False, 0.5)],
}
VIEWS = {
    "alone": {"features"},
    "two heads": {"features"},
    "mirrored": {"features", "mirrored_features"},
    "only mirrored": {"mirrored_features"},
    "beside another": {"features", "mirrored_features", "pixels"},
    "another mirrored": {"features", "mirrored_pixels"},
    "without a face": {"pixels", "mirrored_pixels"},
}


@pytest.mark.parametrize("case", MEMBERS)
def test_the_parts_answer_as_the_whole(case, tmp_path):
    makers = (lambda: small.with_face(seed=1)), (lambda: small.with_face(seed=2)), small.plain
    networks = {}
    for number, make in enumerate(makers):
        keras.backend.clear_session()  # as a search does before it builds a network
        networks[number] = make()
    used = {member.trial for member in MEMBERS[case]}
    whole = combined({n: each for n, each in networks.items() if n in used}, MEMBERS[case])
    whole.save(tmp_path / "model.keras")  # as a promoted one is read
    whole = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    found, pictures = parts(whole, small.EYES), faces(3, small.SIDE)
    assert set(found.views) == VIEWS[case]
    assert (found.trunk is None) == (case == "without a face")
    [said] = answers(found, pictures)
    np.testing.assert_allclose(said, whole.predict_on_batch(pictures), atol=1e-6)


def test_both_outputs_are_kept():
    network, pictures = small.with_face(number=True), faces(2, small.SIDE)
    said, wanted = answers(parts(network, small.EYES), pictures), network.predict_on_batch(pictures)
    for a, b in zip(said, wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_face_network_that_was_trained_further_is_no_trunk():
    found = parts(small.with_face(frozen=False), small.EYES)
    assert found.trunk is None and found.views == ("pixels",)


def test_the_trunk_is_the_same_whatever_was_built_before():
    first = parts(small.with_face(seed=1), small.EYES).trunk
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])  # takes names
    second = parts(small.with_face(7, seed=5, number=True), small.EYES).trunk
    assert [each.name for each in first.layers] == [each.name for each in second.layers]
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
