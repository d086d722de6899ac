"""Networks that start from a file of ImageNet weights (see `stages.weights`)."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras


def from_file(network: Callable[..., keras.Model], path: Path) -> Callable[..., keras.Model]:
    """A function of `keras.applications` that takes `path` for its `weights="imagenet"`.

    By itself Keras would take them from its cache in the home folder, or download them.
    """

    def build(weights: str | None, **kwargs: Any) -> keras.Model:
        return network(weights=weights and str(path), **kwargs)

    return build


def load_squeezenet(network: keras.Model, path: Path) -> None:
    """Give `network`, SqueezeNet 1.1 without its top, the weights of keras-squeezenet's file.

    They come from Caffe, which sees BGR: the kernel of the first convolution is turned to RGB.
    """
    network.load_weights(path)  # layer by layer, in their order
    first = next(layer for layer in network.layers if layer.weights)
    kernel, bias = first.get_weights()
    first.set_weights([kernel[:, :, ::-1], bias])
