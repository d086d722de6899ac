import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from stages.networks.predict import BATCH, class_probabilities, outputs
from stages.records.calibration import Sigma, Temperature
from stages.records.shards import InMemory

AGES = {"minor": (0, 18), "young": (19, 39), "senior": (40, 120)}


ROWS = arrays.arrays(np.float32, (6, 4), elements=st.floats(0, 1, width=32)).filter(
    lambda rows: (rows.sum(1) > 0.1).all()
)


@given(ROWS, st.floats(0.5, 20))
def test_rows_sum_to_1_and_the_answer_stays(raw, temperature):
    raw = raw / raw.sum(1, keepdims=True)
    found = class_probabilities(raw, Temperature(temperature))
    assert found.dtype == np.float64
    assert np.allclose(found.sum(1), 1)
    best = np.take_along_axis(found, raw.argmax(1)[:, None], 1)[:, 0]
    assert np.allclose(best, found.max(1))


@given(ROWS)
def test_temperature_1_changes_nothing(raw):
    raw = raw / raw.sum(1, keepdims=True)
    assert np.allclose(class_probabilities(raw, Temperature(1.0)), raw, atol=1e-6)


def test_a_temperature_divides_the_logits():
    logits = np.array([[2.0, 0.5, -1.0]])
    raw = np.exp(logits) / np.exp(logits).sum()
    half = np.exp(logits / 2) / np.exp(logits / 2).sum()
    assert np.allclose(class_probabilities(raw, Temperature(2.0)), half)


def test_one_sigmoid_unit_is_the_second_of_two_classes():
    raw = np.array([[0.9], [0.2]], np.float32)
    found = class_probabilities(raw, Temperature(1.0))
    assert np.allclose(found, [[0.1, 0.9], [0.8, 0.2]])


def test_certainty_is_no_more_than_float32_can_tell():
    found = class_probabilities(np.array([[1.0]], np.float32), Temperature(1.0))
    assert 0 < found[0, 0] < 1e-6


def test_a_number_becomes_the_mass_between_the_edges_of_the_bins():
    ages = np.array([[18.5], [29.0], [-50.0], [300.0]], np.float32)
    found = class_probabilities(ages, Sigma(10.0, AGES))
    assert np.allclose(found.sum(1), 1)
    # 18.5 is the edge: half of it is below. From there to 39.5 are 2.1 standard deviations.
    assert found[0] == pytest.approx([0.5, 0.48214, 0.01786], abs=1e-5)
    assert found[1] == pytest.approx([0.14686, 0.70628, 0.14686], abs=1e-5)
    assert found[2, 0] == pytest.approx(1) and found[3, 2] == pytest.approx(1)


def test_no_picture():
    assert class_probabilities(np.empty((0, 4), np.float32), Temperature(2.0)).shape == (0, 4)
    assert class_probabilities(np.empty((0, 1), np.float32), Sigma(2.0, AGES)).shape == (0, 3)


def brightness(*units):
    """A network with one output for each of `units`, all of which grow with the brightness."""
    import keras

    inputs = keras.Input((4, 4, 3), dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    heads = [keras.layers.Dense(n, kernel_initializer="ones") for n in units]
    return keras.Model(inputs, [head(mean) for head in heads] if len(heads) > 1 else heads[0](mean))


@pytest.mark.parametrize("n", [0, 1, BATCH + 1])
def test_a_network_with_two_outputs_tells_classes_and_a_number(n):
    levels = np.arange(n, dtype=np.uint8)
    pictures = InMemory(np.tile(levels[:, None, None, None], (1, 4, 4, 3)))
    raw, values = outputs(brightness(3, 1), pictures)
    assert raw.shape == (n, 3) and values.shape == (n,)
    assert raw.dtype == values.dtype == np.float32
    np.testing.assert_allclose(values, levels / 85, rtol=1e-5)
    np.testing.assert_allclose(raw, np.tile(levels[:, None] / 85, (1, 3)), rtol=1e-5)


def test_the_one_unit_of_a_regression_is_its_number():
    pictures = InMemory(np.full((2, 4, 4, 3), 85, np.uint8))
    found = outputs(brightness(1), pictures, "regression")
    np.testing.assert_allclose(found.values, [1, 1], rtol=1e-5)
    found = outputs(brightness(1), pictures)
    assert found.raw.shape == (2, 1) and found.values is None
