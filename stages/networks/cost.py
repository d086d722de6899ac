"""How much a network computes."""

import math
from typing import TYPE_CHECKING

import numpy as np
import tree

if TYPE_CHECKING:
    import keras


def cost(network: "keras.Model") -> float:
    """About how many multiplications a picture takes."""
    return sum(map(_cost, network.layers))


def _cost(layer: "keras.Layer") -> float:
    if hasattr(layer, "layers"):  # a network within the network
        return cost(layer)  # pyright: ignore[reportArgumentType]
    positions = max(math.prod(each.shape[1:-1]) for each in tree.flatten(layer.output))
    weights = getattr(layer, "weights", ())  # an operation has none
    return positions * float(np.prod(weights[0].shape)) if weights else positions
