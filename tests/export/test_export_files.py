"""Files of LiteRT and ONNX: exact in float32, near in int8, the same bytes for the same network."""

import numpy as np
import onnx
import pytest

from stages.export import eight_bits, onnx_file
from stages.export.export import _write_litert
from stages.export.parts import parts
from stages.export.runtimes import Exported
from stages.records.trials import LITE
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
    """A network, its parts, and the folder of their files."""
    folder, network = tmp_path_factory.mktemp("files"), small.with_face(number=True)
    found = parts(network, small.EYES)
    _write_litert(found.trunk, folder / "trunk.tflite", ())
    _write_litert(found.rest, folder / "head.tflite", ())
    onnx.save(onnx_file.of_keras(found.trunk, ("features",)), folder / "trunk.onnx")
    onnx.save(onnx_file.of_keras(found.rest, ("classes", "value")), folder / "head.onnx")
    for name in ("trunk", "head"):
        whole = (folder / f"{name}.tflite").read_bytes()
        (folder / f"{name}-int8.tflite").write_bytes(eight_bits.of_litert(whole))
        rounded = eight_bits.of_onnx(onnx.load(folder / f"{name}.onnx"))
        onnx.save(rounded, folder / f"{name}-int8.onnx")
    return network, found, folder


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
@pytest.mark.parametrize(("weights", "near"), [("", 1e-5), ("-int8", 0.02)])
def test_they_answer_as_keras(made, runtime, weights, near):
    network, found, folder = made
    ending = {"litert": "tflite", "onnx": "onnx"}[runtime]
    files = [folder / f"{name}{weights}.{ending}" for name in ("trunk", "head")]
    ready = Exported(runtime, files, found.views)
    assert [each.shape[-1] for each in ready.outputs] == [4, 1]
    pictures = faces(3, small.SIDE)
    said = ready.predict_on_batch(pictures)
    for a, b in zip(said, network.predict_on_batch(pictures), strict=True):
        np.testing.assert_allclose(a, b, atol=near)
        if weights:
            assert (a != b).any()


@pytest.mark.parametrize("name", ["trunk.tflite", "trunk.onnx"])
def test_eight_bits_take_a_third_of_the_place_or_less(made, name):
    whole = made[2] / name
    rounded = whole.with_stem("trunk-int8")
    assert rounded.stat().st_size < whole.stat().st_size / 3


def test_onnx_asks_for_plain_operations_alone(made):
    for path in made[2].glob("*.onnx"):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        assert {node.op_type for node in model.graph.node} <= PLAIN
        for place in (*model.graph.input, *model.graph.output):
            kind = place.type.tensor_type
            assert kind.elem_type == onnx.TensorProto.FLOAT
            assert kind.shape.dim[0].dim_value == 1


def test_onnx_has_prelu_and_no_normalisation_beside_a_convolution(made):
    kinds = [node.op_type for node in onnx.load(made[2] / "trunk.onnx").graph.node]
    assert kinds.count("PRelu") == 2 and "Neg" not in kinds and "BatchNormalization" not in kinds
    first, second = (n for n, kind in enumerate(kinds) if kind == "Conv")
    assert kinds[first + 1] == kinds[second + 1] == "PRelu"


def test_another_network_has_the_same_trunk_to_the_byte(made, tmp_path):
    other = parts(small.with_face(7, seed=9), small.EYES)
    _write_litert(other.trunk, tmp_path / LITE, ())
    assert (tmp_path / LITE).read_bytes() == (made[2] / "trunk.tflite").read_bytes()
    again = onnx_file.of_keras(other.trunk, ("features",))
    assert again.SerializeToString() == onnx.load(made[2] / "trunk.onnx").SerializeToString()


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
    assert (numbers[weights == 0] == 0).all()
