"""AutoKeras' `ImageClassifier` with one block type more: residual networks that fit a laptop.

AutoKeras' own residual networks begin at ResNet50 with its 25 million parameters.
"""

from typing import Any

import autokeras as ak
import keras
import keras_tuner
import tree
from autokeras.graph import Graph


@keras.saving.register_keras_serializable(package="faces")
class ResidualBlock(ak.Block):
    """A small residual network (He et al., 2016, https://arxiv.org/abs/1512.03385).

    A 3 x 3 convolution with stride 2, then `num_stages` residual units of two; each but the first
    halves the side and doubles the filters.
    """

    def build(self, hp: keras_tuner.HyperParameters, inputs: Any = None) -> Any:
        filters = hp.Choice("filters", [16, 32, 64])  # as declared in `space`, as is the next
        node = _convolution(filters, stride=2)(tree.flatten(inputs)[0])
        node = keras.layers.ReLU()(node)
        for stage in range(hp.Choice("num_stages", [2, 3, 4])):
            node = _unit(node, filters << stage, stride=1 if stage == 0 else 2)
        return node


def _unit(node: Any, filters: int, stride: int) -> Any:
    change = keras.layers.ReLU()(_convolution(filters, stride)(node))
    change = _convolution(filters)(change)
    if stride > 1:
        node = _convolution(filters, stride, kernel=1)(node)
    return keras.layers.ReLU()(keras.layers.Add()([node, change]))


def _convolution(filters: int, stride: int = 1, kernel: int = 3) -> Any:
    convolution = keras.layers.Conv2D(
        filters, kernel, strides=stride, padding="same", use_bias=False,
        kernel_initializer="he_normal",
    )  # fmt: skip
    # Keras' momentum of 0.99 looks back 100 steps: longer than a short epoch here.
    normalisation = keras.layers.BatchNormalization(momentum=0.9)
    return lambda node: normalisation(convolution(node))


@keras.saving.register_keras_serializable(package="faces")
class ImageBlock(ak.ImageBlock):
    """AutoKeras' choice among block types, with `residual` among them."""

    def _build_block(self, hp: Any, output_node: Any, block_type: str) -> Any:
        if block_type == "residual":
            return ResidualBlock().build(hp, output_node)
        return super()._build_block(hp, output_node, block_type)


class ImageClassifier(ak.ImageClassifier):
    """`ak.ImageClassifier`, our `ImageBlock` in the place of AutoKeras'."""

    def _assemble(self) -> Graph:
        # AutoKeras names hyperparameters after blocks: this one keeps the name it always had.
        node = ImageBlock(name="image_block_1")(self.inputs[0])
        return Graph(inputs=self.inputs, outputs=self.outputs[0](node))
