"""SFace against other readers of the same file, and the window that it sees a crop through."""

import cv2
import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from stages.networks import sface
from stages.records.faces import EyePlaces
from tests.networks.saved import answers, faces

CROP = EyePlaces(256, ((98.276, 117.76), (156.724, 117.76)))  # face_width 0.5


class Graph:
    """A network in ONNX of SFace's layers and names, random weights, quantised in blocks of 64."""

    def __init__(self):
        self.rng = np.random.default_rng(0)
        self.nodes, self.tensors = [], []

    def known(self, name, array):
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def quantised(self, name, *shape):
        fan_in = int(np.prod(shape[1:]))
        flat = shape[0], fan_in
        blocks = shape[0], -(-fan_in // 64)
        scales = self.rng.uniform(0.01, 0.04, blocks) / np.sqrt(fan_in)
        names = [
            self.known(f"{name}_quantized", self.rng.integers(-99, 99, flat).astype(np.int8)),
            self.known(f"{name}_scales", scales.astype(np.float32)),
            self.known(f"{name}_zero_point", self.rng.integers(-9, 9, blocks).astype(np.int8)),
        ]
        self.node("DequantizeLinear", names, f"{name}_flat", axis=1, block_size=min(fan_in, 64))
        shape_name = self.known(f"{name}_shape", np.array(shape))
        return self.node("Reshape", [f"{name}_flat", shape_name], f"{name}_whole")

    def node(self, kind, inputs, output, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def norm(self, node, name, width, epsilon=1e-3):
        kinds = ("gamma", "beta", "moving_mean", "moving_var")
        numbers = (self.rng.uniform(0.5, 1.5, width).astype(np.float32) for _ in kinds)
        weights = [self.known(f"{name}_{kind}", n) for kind, n in zip(kinds, numbers, strict=True)]
        return self.node("BatchNormalization", [node, *weights], name, epsilon=epsilon)

    def unit(self, node, name, shape, **attributes):
        kernel = self.quantised(f"{name}_conv2d_weight", *shape)
        node = self.node("Conv", [node, kernel], f"{name}_conv2d", **attributes)
        node = self.norm(node, f"{name}_batchnorm", shape[0])
        slopes = self.rng.uniform(0, 0.5, (shape[0], 1, 1)).astype(np.float32)
        return self.node("PRelu", [node, self.known(f"{name}_relu_gamma", slopes)], f"{name}_relu")


def write(path):
    graph, near = Graph(), [1, 1, 1, 1]
    middle = graph.known("middle", np.array([127.5], np.float32))
    small = graph.known("small", np.array([1 / 128], np.float32))
    node = graph.node("Mul", [graph.node("Sub", ["data", middle], "sub"), small], "mul")
    node = graph.unit(node, "conv_1", (32, 3, 3, 3), pads=near)
    for number, (before, width) in enumerate(zip(sface.WIDTHS, sface.WIDTHS[1:], strict=False), 2):
        stride = 2 if number in (3, 5, 7, 13) else 1
        name, depthwise = f"conv_{number}", {"group": before, "strides": [stride] * 2}
        node = graph.unit(node, f"{name}_dw", (before, 1, 3, 3), pads=near, **depthwise)
        node = graph.unit(node, name, (width, before, 1, 1))
    features = graph.norm(node, "bn1", 1024, 2e-5)
    kernel = graph.quantised("pre_fc1_weight", 128, 1024 * 49)
    bias = graph.known("pre_fc1_bias", graph.rng.normal(size=128).astype(np.float32))
    dense = [graph.node("Flatten", [features], "flat"), kernel, bias]
    numbers = graph.norm(graph.node("Gemm", dense, "pre_fc1", transB=1), "fc1", 128, 2e-5)
    pooled = graph.node("GlobalAveragePool", [features], "pooled")
    data = helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, ["n", 3, 112, 112])
    outs = [helper.make_tensor_value_info(o, 1, None) for o in (pooled, numbers)]
    made = helper.make_graph(graph.nodes, "sface", [data], outs, graph.tensors)
    opset = [helper.make_opsetid("", 21)]
    onnx.save(helper.make_model(made, opset_imports=opset, ir_version=10), path)


@pytest.fixture(scope="module")
def random(tmp_path_factory):
    path = tmp_path_factory.mktemp("sface") / "random.onnx"
    write(path)
    return path


@pytest.mark.slow
def test_a_file_says_the_same_to_keras_and_to_onnxruntime(random):
    pictures = faces(3, 112)
    session = onnxruntime.InferenceSession(random, providers=["CPUExecutionProvider"])
    channels_first = pictures.transpose(0, 3, 1, 2).astype(np.float32)
    pooled, numbers = session.run(None, {"data": channels_first})
    found = sface.load(random).predict_on_batch(pictures.astype(np.float32))
    assert np.std(numbers, axis=0).min() > 1e-3  # not all the same
    for ours, theirs in zip(found, (pooled[:, :, 0, 0], numbers), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * np.abs(theirs).max())


@pytest.mark.slow
def test_the_last_units_can_learn_and_nothing_else_does(random):
    network = sface.load(random)
    assert not network.trainable_weights
    for layer in network.layers:
        layer.trainable = layer.name.startswith(("conv_13_", "conv_14_"))
    assert len(network.trainable_weights) == 2 * 2 * 4  # kernel, slopes, gamma and beta


@pytest.mark.slow
def test_saved_with_its_window(random, tmp_path):
    network = sface.load(random)

    def numbers(pixels):
        return keras.layers.Concatenate()(network(sface.window(pixels, CROP)))

    assert answers(numbers, faces(2, 128), tmp_path).shape == (2, 1024 + 128)


@pytest.mark.slow
def test_the_real_file_says_the_same_to_opencv(real_sface):
    pictures = faces(4, 112)
    opencv = cv2.FaceRecognizerSF.create(str(real_sface), "")
    expected = np.concatenate([opencv.feature(picture[..., ::-1]) for picture in pictures])
    found = sface.load(real_sface).predict_on_batch(pictures.astype(np.float32))
    np.testing.assert_allclose(found[1], expected, atol=1e-4)


def test_window_of_a_crop_of_the_shipped_geometry():
    """A ramp tells which part of the crop is seen: 0.727 of it, from 0.1365 and 0.125 on."""
    ramp = np.tile(np.arange(256, dtype=np.float32)[:, None, None], (1, 1, 256, 1))
    across = np.asarray(sface.window(ramp.transpose(0, 2, 1, 3), CROP))[0, 0, :, 0]
    down = np.asarray(sface.window(ramp, CROP))[0, :, 0, 0]
    assert (across[-1] - across[0]) * 112 / 111 / 256 == pytest.approx(0.727, abs=0.002)
    assert across[0] / 256 == pytest.approx(0.1365, abs=0.005)
    assert down[0] / 256 == pytest.approx(0.125, abs=0.005)


@settings(max_examples=20)
@given(
    side=st.integers(32, 260),
    crop=st.integers(64, 512),
    apart=st.floats(0.15, 0.4),
    x=st.floats(0.4, 0.6),
    y=st.floats(0.3, 0.6),
)
def test_eyes_land_in_their_places(side, crop, apart, x, y):
    eyes = np.array([[x - apart / 2, y], [x + apart / 2, y]]) * crop - 0.5
    pixels = np.arange(side)
    picture = np.zeros((1, side, side, 3), np.float32)
    for channel, (at_x, at_y) in enumerate((eyes + 0.5) * side / crop - 0.5):
        away = np.hypot(pixels - at_x, (pixels - at_y)[:, None]) / max(0.1 * apart * side, 0.8)
        picture[0, :, :, channel] = 255 * np.exp(-(away**2) / 2)  # a bright dot
    left, right = (tuple(map(float, eye)) for eye in eyes)
    seen = np.asarray(sface.window(picture, EyePlaces(crop, (left, right))))[0]
    assert seen.shape == (112, 112, 3)
    for channel, place in enumerate(sface.EYES):
        dot = np.maximum(seen[:, :, channel] - 25, 0)
        found = [(dot.sum(axis) @ np.arange(112)) / dot.sum() for axis in (0, 1)]
        np.testing.assert_allclose(found, place, atol=1)


@pytest.mark.parametrize("channels", [1, 3])
def test_beyond_the_crop_its_edge_goes_on(channels):
    ramp = np.tile(np.arange(10, 74, dtype=np.float32), (1, 64, 1))[..., None]
    near = EyePlaces(64, ((12.0, 30.0), (52.0, 30.0)))
    seen = np.asarray(sface.window(np.repeat(ramp, channels, axis=-1), near))
    assert seen.shape == (1, 112, 112, 3)
    np.testing.assert_allclose(seen[0, :, :5], 10, atol=1e-4)
    np.testing.assert_allclose(seen[0, :, -5:], 73, atol=1e-4)
    assert keras.ops.max(seen) <= 73.001
