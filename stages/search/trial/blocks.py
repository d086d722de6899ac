"""AutoKeras' `ImageClassifier` with two block types more, of networks that fit a laptop.

AutoKeras' own residual networks begin at ResNet50 with its 25 million parameters, its pretrained
ones at EfficientNet-B0 with 4 million and a hundred layers.
"""

from typing import Any

import autokeras as ak
import keras
import keras_tuner
import tree
from autokeras.graph import Graph

from stages.search.trial import imagenet


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


# Filters that squeeze in each of the eight fire modules; twice four times as many expand.
FIRE = (16, 16, 32, 32, 48, 48, 64, 64)
SMALLEST = 32  # pixels; of less than 31 the poolings leave nothing


@keras.saving.register_keras_serializable(package="faces")
class SqueezeNetBlock(ak.Block):
    """SqueezeNet 1.1 (Iandola et al., 2016, https://arxiv.org/abs/1602.07360) up to its top.

    0.72 million parameters. Sees RGB or grey, 0 to 255; gives 512 numbers a picture.
    """

    def build(self, hp: keras_tuner.HyperParameters, inputs: Any = None) -> Any:
        pixels = tree.flatten(inputs)[0]
        if pixels.shape[-1] == 1:
            pixels = keras.layers.Concatenate()([pixels] * 3)
        if pixels.shape[1] < SMALLEST:
            pixels = keras.layers.Resizing(SMALLEST, SMALLEST)(pixels)
        # Caffe's way: the mean colour of ImageNet taken off, nothing divided.
        pixels = keras.layers.Rescaling(1.0, offset=[-123.68, -116.779, -103.939])(pixels)
        node = _rectified(64, 3, strides=2)(pixels)
        node = keras.layers.MaxPooling2D(3, strides=2)(node)
        for number, filters in enumerate(FIRE, start=2):  # the numbers of the paper
            squeezed = _rectified(filters, 1)(node)
            wide = [_rectified(4 * filters, 1), _rectified(4 * filters, 3, padding="same")]
            node = keras.layers.Concatenate()([expand(squeezed) for expand in wide])
            if number in (3, 5):
                node = keras.layers.MaxPooling2D(3, strides=2)(node)
        if hp.Boolean("pretrained"):  # as declared in `space`, as is the next
            network = keras.Model(pixels, node)
            imagenet.load_squeezenet(network)
            layers = [layer for layer in network.layers if layer.weights]
            # None of the 25, those up to the fourth fire module, or all.
            for layer in layers[: hp.Choice("frozen", [0, 13, 25])]:
                layer.trainable = False
        return keras.layers.GlobalAveragePooling2D()(node)


def _rectified(filters: int, kernel: int, **kwargs: Any) -> Any:
    return keras.layers.Conv2D(
        filters, kernel, activation="relu", kernel_initializer="he_normal", **kwargs
    )


@keras.saving.register_keras_serializable(package="faces")
class ImageBlock(ak.ImageBlock):
    """AutoKeras' choice among block types, with `residual` and `squeezenet` among them."""

    def build(self, hp: Any, inputs: Any = None) -> Any:
        self._pixels = inputs  # before the normalisation
        return super().build(hp, inputs)

    def _build_block(self, hp: Any, output_node: Any, block_type: str) -> Any:
        if block_type == "residual":
            return ResidualBlock().build(hp, output_node)
        if block_type == "squeezenet":
            # ImageNet's weights want ImageNet's mean, not this data set's.
            return SqueezeNetBlock().build(hp, self._pixels)
        return super()._build_block(hp, output_node, block_type)


class ImageClassifier(ak.ImageClassifier):
    """`ak.ImageClassifier`, our `ImageBlock` in the place of AutoKeras'."""

    def _assemble(self) -> Graph:
        # AutoKeras names hyperparameters after blocks: this one keeps the name it always had.
        node = ImageBlock(name="image_block_1")(self.inputs[0])
        return Graph(inputs=self.inputs, outputs=self.outputs[0](node))
