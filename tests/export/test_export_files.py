"""Files of LiteRT and ONNX: exact in float32, near in int8, the same bytes for the same network."""

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from stages.common.errors import UserError
from stages.export import eight_bits
from stages.export.export import write
from stages.export.parts import Parts, parts
from stages.export.runtimes import Exported
from tests.export import small
from tests.networks.saved import faces

pytestmark = pytest.mark.slow
PLAIN = {  # what small runtimes for browsers and phones read
    *("Add", "Clip", "Concat", "Conv", "DequantizeLinear", "Gemm", "GlobalAveragePool", "MatMul"),
    *("Mul", "PRelu", "Pad", "ReduceMean", "Relu", "Reshape", "Slice", "Softmax", "Squeeze"),
    *("Sub", "Transpose", "Unsqueeze"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A network, its parts, and their files."""
    folder, network = tmp_path_factory.mktemp("files"), small.with_face(number=True)
    found = parts(network, small.EYES)
    files = {
        (runtime, weights): [folder / each.file for each in made]
        for runtime in ("litert", "onnx")
        for weights, made in zip(
            ("float32", "int8"), write(runtime, found, ("classes", "value"), folder), strict=True
        )
    }
    return network, found, files


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
@pytest.mark.parametrize(("weights", "near"), [("float32", 1e-5), ("int8", 0.02)])
def test_they_answer_as_keras(made, runtime, weights, near):
    network, found, files = made
    ready = Exported(runtime, files[runtime, weights], found.views)
    assert [each.shape[-1] for each in ready.outputs] == [4, 1]
    pictures = faces(3, small.SIDE)
    said = ready.predict_on_batch(pictures)
    for a, b in zip(said, network.predict_on_batch(pictures), strict=True):
        np.testing.assert_allclose(a, b, atol=near)
        if weights == "int8":
            assert (a != b).any()


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_eight_bits_take_a_third_of_the_place_or_less(made, runtime):
    whole, rounded = (made[2][runtime, weights][0] for weights in ("float32", "int8"))
    assert rounded.stat().st_size < whole.stat().st_size / 3


def test_onnx_asks_for_plain_operations_alone(made):
    for path in (*made[2]["onnx", "float32"], *made[2]["onnx", "int8"]):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert {node.op_type for node in model.graph.node} <= PLAIN
        for place in (*model.graph.input, *model.graph.output):
            kind = place.type.tensor_type
            assert kind.elem_type == onnx.TensorProto.FLOAT
            assert kind.shape.dim[0].dim_value == 1


def test_onnx_has_prelu_and_no_normalisation_beside_a_convolution(made):
    kinds = [node.op_type for node in onnx.load(made[2]["onnx", "float32"][0]).graph.node]
    assert kinds.count("PRelu") == 2 and "Neg" not in kinds and "BatchNormalization" not in kinds
    first, second = (n for n, kind in enumerate(kinds) if kind == "Conv")
    assert kinds[first + 1] == kinds[second + 1] == "PRelu"


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_another_network_has_the_same_trunk_to_the_byte(made, tmp_path, runtime):
    other = parts(small.with_face(7, seed=9), small.EYES)
    for weights, files in zip(
        ("float32", "int8"), write(runtime, other, ("classes",), tmp_path), strict=True
    ):
        before = made[2][runtime, weights][0]
        assert files[0].file == before.name and files[0].file.startswith("trunk-")
        assert (tmp_path / files[0].file).read_bytes() == before.read_bytes()


@pytest.mark.parametrize(
    "name, operation",
    [("FlexMatrixInverse", tf.linalg.inv), ("Erfinv", tf.math.erfinv)],  # in TensorFlow; nowhere
)
def test_an_operation_that_litert_lacks_is_named(tmp_path, name, operation):
    class Odd(keras.layers.Layer):
        def call(self, pictures):
            square = tf.cast(pictures[..., 0], tf.float32) / 1000 + tf.eye(8)
            return tf.reduce_sum(operation(square), 1)

    pixels = keras.Input((8, 8, 3), dtype="uint8", name="pixels")
    network = Parts(None, keras.Model(pixels, Odd()(pixels)), ("pixels",))
    with pytest.raises(UserError, match=rf"LiteRT has no {name}, .* search for another one"):
        write("litert", network, ("classes",), tmp_path)


@pytest.mark.parametrize("axis", [0, 3])
def test_a_rounded_number_is_half_a_step_away_at_most(axis):
    weights = np.random.default_rng(0).normal(size=(6, 3, 3, 5)).astype(np.float32)
    weights[0], weights[..., 0] = 0, 0
    numbers, scales = eight_bits.rounded(weights, axis)
    assert numbers.dtype == np.int8 and scales.shape == (weights.shape[axis],)
    shape = [1] * 4
    shape[axis] = -1
    off = np.abs(numbers * scales.reshape(shape) - weights)
    assert (off <= scales.reshape(shape) / 2 + 1e-7).all()
    assert (numbers[weights == 0] == 0).all() and np.abs(numbers).max() == eight_bits.STEPS


@given(st.integers(0, 2**32 - 1))
def test_numbers_that_were_8_bits_in_blocks_before_come_back(seed):
    rng = np.random.default_rng(seed)
    before = rng.integers(-128, 128, (6, eight_bits.BLOCK))
    before[:, :2] = -128, 127  # as who rounds a block takes its lowest and its highest for the ends
    scales = rng.uniform(1e-4, 10, (6, 1)).astype(np.float32)
    zeros = rng.integers(-127, 127, (6, 1))
    weights = ((before - zeros) * scales).astype(np.float32).reshape(3, 2 * eight_bits.BLOCK, 1, 1)
    numbers, found, zero = eight_bits.in_blocks(weights)
    np.testing.assert_array_equal(numbers, before)
    np.testing.assert_allclose(found, scales[:, 0], rtol=1e-5)
    np.testing.assert_array_equal(zero, zeros[:, 0])


@pytest.mark.parametrize("weights", [np.zeros((1, 64)), np.full((1, 64), 3), np.full((1, 64), -3)])
def test_a_block_of_equal_numbers_comes_back(weights):
    numbers, scales, zeros = eight_bits.in_blocks(weights.astype(np.float32))
    np.testing.assert_allclose((numbers - zeros[:, None].astype(int)) * scales[:, None], weights)


def test_a_huge_layer_has_fewer_steps():
    weights = np.random.default_rng(0).normal(size=(2, eight_bits.HUGE)).astype(np.float32)
    numbers, _ = eight_bits.rounded(weights, 0)
    assert np.abs(numbers).max() == eight_bits.STEPS_OF_HUGE
