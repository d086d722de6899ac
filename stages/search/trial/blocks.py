"""AutoKeras' search space for pictures, with more block types.

`face`, `edges` and `colour` start from fixed features of a face; only a small head trains. The
others are networks that fit a laptop: AutoKeras' smallest residual network is ResNet50 with 25
million parameters, its smallest pretrained one EfficientNet-B0 with 4 million and a hundred layers.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import autokeras as ak
import keras
import keras_tuner
import tree
from autokeras.graph import Graph

from stages.networks import colour, edges, sface
from stages.records.faces import EyePlaces
from stages.records.trials import FEATURES
from stages.search.trial.pretrained import from_file, load_squeezenet

LAST_UNITS = ("conv_13_", "conv_14_")  # of SFace's 14


@keras.saving.register_keras_serializable(package="faces")
class FaceBlock(ak.Block):
    """SFace (see `stages.networks.sface`) on the picture's face window, and a dense layer.

    `weights`: SFace's file. `eyes`: where the eyes are in every picture. With the hyperparameter
    `tuned` SFace's last two units train, but for their normalisation; else it is frozen.
    """

    def __init__(self, weights: Path | None = None, eyes: EyePlaces | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.weights, self.eyes = weights, eyes

    def build(self, hp: keras_tuner.HyperParameters, inputs: Any = None) -> Any:
        assert self.weights and self.eyes, "`face` is searched only where there are weights"
        network = sface.load(self.weights)
        tuned = hp.Boolean("tuned")  # `space` declares this and the next ones too
        if tuned:
            network.trainable = True
            for layer in network.layers:
                normalises = isinstance(layer, keras.layers.BatchNormalization)
                layer.trainable = layer.name.startswith(LAST_UNITS) and not normalises
        pooled, embedding = network(sface.window(tree.flatten(inputs)[0], self.eyes))
        node = keras.layers.Concatenate()([pooled, embedding])
        if not tuned:
            node = _fixed(node)
        split = pooled.shape[-1]
        kind = hp.Choice("features", ["both", "pool", "embedding"])
        part = {"both": slice(None), "pool": slice(split), "embedding": slice(split, None)}[kind]
        return _hidden(hp, node[:, part])


@keras.saving.register_keras_serializable(package="faces")
class EdgesBlock(ak.Block):
    """The directions of a face's edges (see `stages.networks.edges`), and a dense layer."""

    def build(self, hp: keras_tuner.HyperParameters, inputs: Any = None) -> Any:
        return _hidden(hp, _fixed(edges.hog(tree.flatten(inputs)[0])))


@keras.saving.register_keras_serializable(package="faces")
class ColourBlock(ak.Block):
    """A face's colours (see `stages.networks.colour`), and a dense layer."""

    def build(self, hp: keras_tuner.HyperParameters, inputs: Any = None) -> Any:
        return _hidden(hp, _fixed(colour.lab(tree.flatten(inputs)[0])))


def _fixed(features: Any) -> Any:
    """Mark the end of what does not train, see `stages.search.trial.features`."""
    return keras.layers.Identity(name=FEATURES)(features)


def _hidden(hp: keras_tuner.HyperParameters, features: Any) -> Any:
    """Features of equal scale, and a dense layer if `width` is not 0: then the head is linear."""
    scaled = keras.layers.BatchNormalization(center=False, scale=False, momentum=0.9)
    width = hp.Choice("width", [0, 64, 128, 256])
    node = scaled(features)
    return keras.layers.Dense(width, activation="relu")(node) if width else node


@keras.saving.register_keras_serializable(package="faces")
class ResidualBlock(ak.Block):
    """A small residual network (He et al., 2016, https://arxiv.org/abs/1512.03385).

    A 3 x 3 convolution with stride 2, then `num_stages` residual units of two convolutions each.
    Every unit but the first halves the side and doubles the filters.
    """

    def build(self, hp: keras_tuner.HyperParameters, inputs: Any = None) -> Any:
        filters = hp.Choice("filters", [16, 32, 64])  # `space` declares this and the next one too
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
        filters,
        kernel,
        strides=stride,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
    )
    # Keras' momentum of 0.99 averages over 100 steps: more than a short epoch here has.
    normalisation = keras.layers.BatchNormalization(momentum=0.9)
    return lambda node: normalisation(convolution(node))


# Filters of the squeezing convolution in each of the eight fire modules; each of its two expanding
# ones has four times as many.
FIRE = (16, 16, 32, 32, 48, 48, 64, 64)
SMALLEST = 32  # pixels a side; below 31, pooling leaves nothing


@keras.saving.register_keras_serializable(package="faces")
class SqueezeNetBlock(ak.Block):
    """SqueezeNet 1.1 (Iandola et al., 2016, https://arxiv.org/abs/1602.07360) without its top.

    0.72 million parameters. In: RGB or grey pictures, 0 to 255. Out: 512 numbers a picture.
    `weights`: the file it starts from where the hyperparameter `pretrained` is set.
    """

    def __init__(self, weights: Path | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weights = weights

    def build(self, hp: keras_tuner.HyperParameters, inputs: Any = None) -> Any:
        pixels = tree.flatten(inputs)[0]
        if pixels.shape[-1] == 1:
            pixels = keras.layers.Concatenate()([pixels] * 3)
        if pixels.shape[1] < SMALLEST:
            pixels = keras.layers.Resizing(SMALLEST, SMALLEST)(pixels)
        # As Caffe does: subtract ImageNet's mean colour; no division.
        pixels = keras.layers.Rescaling(1.0, offset=[-123.68, -116.779, -103.939])(pixels)
        node = _rectified(64, 3, strides=2)(pixels)
        node = keras.layers.MaxPooling2D(3, strides=2)(node)
        for number, filters in enumerate(FIRE, start=2):  # the paper's numbers
            squeezed = _rectified(filters, 1)(node)
            wide = [_rectified(4 * filters, 1), _rectified(4 * filters, 3, padding="same")]
            node = keras.layers.Concatenate()([expand(squeezed) for expand in wide])
            if number in (3, 5):
                node = keras.layers.MaxPooling2D(3, strides=2)(node)
        if hp.Boolean("pretrained"):  # `space` declares this and the next one too
            assert self.weights, "pretrained is searched only where there are weights"
            network = keras.Model(pixels, node)
            load_squeezenet(network, self.weights)
            layers = [layer for layer in network.layers if layer.weights]
            # None of the 25 convolutions, those up to the fourth fire module, or all.
            for layer in layers[: hp.Choice("frozen", [0, 13, 25])]:
                layer.trainable = False
        return keras.layers.GlobalAveragePooling2D()(node)


def _rectified(filters: int, kernel: int, **kwargs: Any) -> Any:
    return keras.layers.Conv2D(
        filters, kernel, activation="relu", kernel_initializer="he_normal", **kwargs
    )


APPLICATIONS = {
    "efficient": ak.EfficientNetBlock,
    "resnet": ak.ResNetBlock,
    "xception": ak.XceptionBlock,
}


@keras.saving.register_keras_serializable(package="faces")
class ImageBlock(ak.ImageBlock):
    """AutoKeras' choice among block types, with ours among them.

    `pretrained`: block type -> file of weights. `eyes`: where the eyes are in every picture.
    """

    def __init__(
        self,
        pretrained: Mapping[str, Path] | None = None,
        eyes: EyePlaces | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pretrained, self.eyes = pretrained or {}, eyes

    def build(self, hp: Any, inputs: Any = None) -> Any:
        self._pixels = inputs  # before the normalisation
        return super().build(hp, inputs)

    def _build_block(self, hp: Any, output_node: Any, block_type: str) -> Any:
        node = self._choose(hp, output_node, block_type)
        network = keras.Model(self._pixels, node)
        if network.weights and not network.trainable_weights and FEATURES not in _names(network):
            if len(node.shape) == 4:
                node = keras.layers.GlobalAveragePooling2D()(node)
            return _fixed(node)
        return node

    def _choose(self, hp: Any, output_node: Any, block_type: str) -> Any:
        weights = self.pretrained.get(block_type)
        if block_type == "face":
            return FaceBlock(weights, self.eyes).build(hp, self._pixels)
        if block_type == "edges":
            return EdgesBlock().build(hp, self._pixels)
        if block_type == "colour":
            return ColourBlock().build(hp, self._pixels)
        if block_type == "residual":
            return ResidualBlock().build(hp, output_node)
        if block_type == "squeezenet":
            # ImageNet's weights expect ImageNet's mean, not this data set's.
            return SqueezeNetBlock(weights).build(hp, self._pixels)
        if block_type in APPLICATIONS and weights:
            block = APPLICATIONS[block_type]()
            block.models = {v: from_file(network, weights) for v, network in block.models.items()}
            return block.build(hp, output_node)
        return super()._build_block(hp, output_node, block_type)


def _names(network: keras.Model) -> list[str]:
    return [layer.name for layer in network.layers]


class ImageModel(ak.AutoModel):
    """Pictures in, one head: AutoKeras' `ImageClassifier` or `ImageRegressor` with our blocks."""

    def __init__(
        self,
        head: ak.Head,
        pretrained: Mapping[str, Path],
        eyes: EyePlaces | None,
        **kwargs: Any,
    ) -> None:
        self.pretrained, self.eyes = pretrained, eyes
        super().__init__(inputs=ak.ImageInput(), outputs=head, **kwargs)

    def _assemble(self) -> Graph:
        # AutoKeras names hyperparameters after blocks. The name is the one that `space` uses.
        block = ImageBlock(self.pretrained, self.eyes, name="image_block_1")
        return Graph(inputs=self.inputs, outputs=self.outputs[0](block(self.inputs[0])))
