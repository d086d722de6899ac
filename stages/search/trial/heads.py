"""The last block of a network that tells numbers, or something finer than classes."""

from typing import Any

import autokeras as ak
import keras
import keras_tuner
import tree


@keras.saving.register_keras_serializable(package="faces")
class RegressionHead(ak.RegressionHead):
    """AutoKeras' head, changed in two points.

    It reduces the picture to a vector as a classifier's head does; AutoKeras flattens it. And it
    undoes the standardisation of the targets: `offset` and `scale` are their mean and standard
    deviation, so that the layers before learn a standard score, and the network tells the number
    in its own unit.
    """

    def __init__(self, offset: float = 0.0, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(output_dim=1, **kwargs)
        self.offset, self.scale = offset, scale

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"offset": self.offset, "scale": self.scale}
        del config["output_dim"]
        return config

    def build(self, hp: keras_tuner.HyperParameters, inputs: Any = None) -> Any:
        node = keras.layers.Dense(1)(_vector(hp, inputs))
        # float32 even in mixed precision: float16 cannot tell 100.05 from 100.1.
        undo = keras.layers.Rescaling(self.scale, self.offset, name=self.name, dtype="float32")
        return undo(node)


@keras.saving.register_keras_serializable(package="faces")
class FineHead(ak.RegressionHead):
    """`width` probabilities, of something finer than classes.

    A regression's head to AutoKeras, which hands its targets on as they are; a classification's
    would be encoded again.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"width": self.width}

    def build(self, hp: keras_tuner.HyperParameters, inputs: Any = None) -> Any:
        node = keras.layers.Dense(self.width)(_vector(hp, inputs))
        # float32 even in mixed precision: sums of float16 are not probabilities.
        return keras.layers.Softmax(name=self.name, dtype="float32")(node)


def _vector(hp: keras_tuner.HyperParameters, inputs: Any) -> Any:
    """Numbers per picture, with dropout: what AutoKeras' `ClassificationHead` begins with."""
    node = tree.flatten(inputs)[0]
    if len(node.shape) > 2:
        node = ak.SpatialReduction().build(hp, node)
    if dropout := hp.Choice("dropout", [0.0, 0.25, 0.5], default=0.0):
        node = keras.layers.Dropout(dropout)(node)
    return node
