"""SFace as a Keras network: a face in, numbers out that tell people apart.

Zhong et al. (2021), https://doi.org/10.1109/TIP.2020.3048632. Its layers are MobileNet's (Howard et
al. 2017, https://arxiv.org/abs/1704.04861) with PReLU.
"""

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from stages.common.aligned import EYES, SIDE
from stages.networks.channels import rgb
from stages.networks.resample import linear, resample
from stages.records.faces import EyePlaces

# Output channels of each unit; the units in HALVING halve the side.
WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
HALVING = (3, 5, 7, 13)
NUMBERS = 128
EMBEDDING = "pre_fc1"  # the layer that makes them; no other network has one of this name


def load(path: Path) -> keras.Model:
    """RGB pixels 0 to 255, (112, 112, 3), to the mean of the last feature map, (1024,), and (128,).

    `path`: face_recognition_sface_2021dec_int8bq.onnx of opencv_zoo. Layers have the names of that
    file, and none is trainable.
    """
    pixels = keras.Input((SIDE, SIDE, 3))
    node = layers.Rescaling(1 / 128, offset=-127.5 / 128)(pixels)
    first = layers.Conv2D(WIDTHS[0], 3, padding="same", use_bias=False, name="conv_1_conv2d")
    node = _unit(node, first)
    for number, width in enumerate(WIDTHS[1:], start=2):
        node = _separable(node, number, width)
    features = layers.BatchNormalization(epsilon=2e-5, name="bn1")(node)
    numbers = layers.Dense(NUMBERS, name=EMBEDDING)(layers.Flatten()(features))
    numbers = layers.BatchNormalization(epsilon=2e-5, name="fc1")(numbers)
    network = keras.Model(pixels, [layers.GlobalAveragePooling2D()(features), numbers])
    weights = _read(path)
    for layer in network.layers:
        layer.trainable = False
        if layer.weights:
            layer.set_weights(_of(layer, weights))
    return network


def window(pixels: Any, eyes: EyePlaces) -> Any:
    """Square crops, (N, side, side, 1 or 3), to SFace's (N, 112, 112, 3): eyes in its two places.

    `eyes`: where they are in every crop. Pixels beyond the crop are as at its edge.
    """
    side = pixels.shape[1]
    left, right = ((np.array(eye) + 0.5) * side / eyes.size - 0.5 for eye in eyes.eyes)
    step = (right[0] - left[0]) / (EYES[1][0] - EYES[0][0])
    to_eyes = np.arange(SIDE)[:, None] - np.mean(EYES, axis=0)  # x, y of each pixel
    columns, rows = ((left + right) / 2 + step * to_eyes).T
    return rgb(resample(pixels, linear(rows, step, side), linear(columns, step, side)))


def _separable(node: Any, number: int, width: int) -> Any:
    name, stride, padding = f"conv_{number}", 1, "same"
    if number in HALVING:  # on both sides, where Keras pads below and on the right alone
        node, stride, padding = layers.ZeroPadding2D(1)(node), 2, "valid"
    each = layers.DepthwiseConv2D(3, stride, padding, use_bias=False, name=f"{name}_dw_conv2d")
    across = layers.Conv2D(width, 1, use_bias=False, name=f"{name}_conv2d")
    return _unit(_unit(node, each), across)


def _unit(node: Any, convolution: Any) -> Any:
    name = convolution.name.removesuffix("_conv2d")
    node = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_batchnorm")(convolution(node))
    return layers.PReLU(shared_axes=[1, 2], name=f"{name}_relu")(node)


def _read(path: Path) -> dict[str, np.ndarray]:
    """Name -> weights, float32.

    A quantised tensor has a scale and a zero point for each block of its last axis (ONNX, operator
    DequantizeLinear), and perhaps another shape.
    """
    import onnx  # here, because a process that only builds other networks starts faster
    from onnx import numpy_helper

    tensors = {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    for name in [n.removesuffix("_quantized") for n in tensors if n.endswith("_quantized")]:
        quantised = tensors[f"{name}_quantized"].astype(np.float32)
        length = quantised.shape[-1]
        block = -(-length // tensors[f"{name}_scales"].shape[-1])
        scale, zero = (
            np.repeat(tensors[f"{name}_{kind}"].astype(np.float32), block, -1)[..., :length]
            for kind in ("scales", "zero_point")
        )
        shape = tensors.get(f"{name}_shape", quantised.shape)
        tensors[name] = ((quantised - zero) * scale).reshape(shape)
    return tensors


def _of(layer: keras.Layer, weights: dict[str, np.ndarray]) -> list[np.ndarray]:
    """A layer's weights in Keras' order and shapes."""
    if isinstance(layer, layers.BatchNormalization):
        kinds = ("gamma", "beta", "moving_mean", "moving_var")
        return [weights[f"{layer.name}_{kind}"] for kind in kinds]
    if isinstance(layer, layers.PReLU):
        return [weights[f"{layer.name}_gamma"].reshape(1, 1, -1)]
    kernel = weights[f"{layer.name}_weight"]
    if isinstance(layer, layers.Dense):  # ONNX flattens channels first
        maps = kernel.reshape(NUMBERS, WIDTHS[-1], 7, 7)
        return [maps.transpose(2, 3, 1, 0).reshape(-1, NUMBERS), weights[f"{layer.name}_bias"]]
    if isinstance(layer, layers.DepthwiseConv2D):
        return [kernel.transpose(2, 3, 0, 1)]
    return [kernel.transpose(2, 3, 1, 0)]
