"""AutoKeras' `ImageRegressor`, of the same blocks as our `ImageClassifier`."""

from typing import Any

import autokeras as ak
import keras
import keras_tuner
import tree

from stages.search.trial.blocks import ImageClassifier


@keras.saving.register_keras_serializable(package="faces")
class RegressionHead(ak.RegressionHead):
    """AutoKeras' head with two things more: like the head of a classifier it reduces the picture to
    a vector (AutoKeras flattens it), and it undoes the standardisation of the targets.

    `offset` and `scale` are the mean and standard deviation of the training targets: the layers
    before learn a standard score, the network says the number in its own unit.
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
        # In 32 bits even where the rest is in 16, which tell no 100.05 from 100.1.
        undo = keras.layers.Rescaling(self.scale, self.offset, name=self.name, dtype="float32")
        return undo(node)


class ImageRegressor(ak.ImageRegressor):
    """`ak.ImageRegressor` of one number, with our blocks and our head."""

    def __init__(
        self, offset: float, scale: float, loss: str, metrics: list, **kwargs: Any
    ) -> None:
        head = RegressionHead(offset, scale, loss=loss, metrics=metrics)
        # Not AutoKeras' own `__init__`, which does nothing but make its head.
        super(ak.ImageRegressor, self).__init__(outputs=head, **kwargs)

    _assemble = ImageClassifier._assemble
