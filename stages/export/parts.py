"""A network in the parts that are exported: its trunk, if it holds the face network, and the rest.

The trunk is built anew from the face network's weights, with names of its own, so that networks of
one crop and picture size have the same trunk, to the byte.
"""

from dataclasses import dataclass
from itertools import count
from typing import Any

import keras

from stages.networks import sface
from stages.records.export import View
from stages.records.faces import EyePlaces
from stages.records.trials import FEATURES


@dataclass(frozen=True)
class Parts:
    trunk: keras.Model | None  # a picture -> features; None: there is no part to share
    rest: keras.Model  # `views` -> answers
    views: tuple[View, ...]


def parts(network: keras.Model, eyes: EyePlaces) -> Parts:
    """`network`: uint8 pictures in, answers out; `eyes`: where they are in every crop.

    The parts together answer as the network does where its face network is the original one. One
    whose face network was trained further has no trunk.
    """
    [pixels] = network.inputs
    stops: list[tuple[View, keras.KerasTensor]] = [("pixels", pixels)]
    for operation in network.operations:
        if _is_flip(operation):
            stops.append(("mirrored_pixels", operation.output))
    features = _features(network)
    for node in features:
        [seen] = node.input_tensors
        mirrored = _is_flip(seen._keras_history.operation)
        stops.append(("mirrored_features" if mirrored else "features", node.outputs[0]))
    needed = _needed(network.outputs, [place for _, place in stops])
    views: dict[View, keras.KerasTensor]
    views = {name: place for name, place in stops if any(place is each for each in needed)}
    rest = keras.Model(list(views.values()), network.outputs)
    inputs = [keras.Input(v.shape[1:], dtype=v.dtype, name=name) for name, v in views.items()]
    rest = keras.Model(inputs, rest(inputs if len(inputs) > 1 else inputs[0]))
    face = _face(network) if features else None
    trunk = _trunk(face, eyes, network.input_shape[1:]) if face else None
    return Parts(trunk, rest, tuple(views))


def _trunk(face: keras.Model, eyes: EyePlaces, shape: tuple[int, ...]) -> keras.Model:
    keras.backend.clear_session()  # Keras numbers the layers that have no name
    numbers = count()

    def renamed(layer: keras.Layer) -> keras.Layer:
        return type(layer).from_config(layer.get_config() | {"name": f"face_{next(numbers)}"})

    again = keras.models.clone_model(face, clone_function=renamed)
    again.set_weights(face.get_weights())
    again = keras.Model(again.inputs, again.outputs, name="face")
    pixels = keras.Input(shape, dtype="uint8", name="pixels")
    seen = sface.window(keras.layers.Rescaling(1.0, dtype="float32", name="float")(pixels), eyes)
    return keras.Model(pixels, keras.layers.Concatenate(name=FEATURES)(again(seen)), name="trunk")


def _face(network: keras.Model) -> keras.Model | None:
    """The face network, which is a layer of `network` or of one of its layers."""
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            found = layer if sface.EMBEDDING in _names(layer) else _face(layer)
            if found:
                return found
    return None


def _features(network: keras.Model) -> list[Any]:
    """The nodes of the graph that give the face network's features, one for each view of it."""
    for layer in network.layers:
        own = layer.name == FEATURES and _face(network)
        trunk = isinstance(layer, keras.Model) and FEATURES in _names(layer) and _face(layer)
        if own or trunk:
            return layer._inbound_nodes
    return []


def _is_flip(operation: keras.Operation) -> bool:
    return type(operation).__name__ == "Flip"


def _needed(outputs: list[Any], stops: list[Any]) -> list[Any]:
    """Those of `stops` that one comes to first on the way from `outputs` to the input."""
    found, todo = [], list(outputs)
    while todo:
        tensor = todo.pop()
        if any(tensor is stop for stop in stops):
            found.append(tensor)
        else:
            operation, node, _ = tensor._keras_history
            todo += operation._inbound_nodes[node].input_tensors
    return found


def _names(network: keras.Model) -> list[str]:
    return [layer.name for layer in network.layers]
