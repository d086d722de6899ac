"""The last block of a network that tells numbers."""

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
        node = tree.flatten(inputs)[0]
        if len(node.shape) > 2:
            node = ak.SpatialReduction().build(hp, node)
        if dropout := hp.Choice("dropout", [0.0, 0.25, 0.5], default=0.0):
            node = keras.layers.Dropout(dropout)(node)
        node = keras.layers.Dense(1)(node)
        # float32 even in mixed precision: float16 cannot tell 100.05 from 100.1.
        undo = keras.layers.Rescaling(self.scale, self.offset, name=self.name, dtype="float32")
        return undo(node)
