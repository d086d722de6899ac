"""Small networks built like those of a search, with a face network of a thousandth of the size."""

import keras

from stages.networks import sface
from stages.records.faces import EyePlaces
from stages.records.trials import FEATURES

SIDE = 64
EYES = EyePlaces(256, ((98.276, 117.76), (156.724, 117.76)))
WIDE = 512  # features from the map: enough for weights that are worth 8 bits


def face_network(seed=0):
    """Layers, names and outputs like `stages.networks.sface.load`, random weights."""
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((112, 112, 3))
    node = keras.layers.Rescaling(1 / 128, offset=-1)(pixels)
    node = keras.layers.ZeroPadding2D(1)(node)
    for name, width in (("conv_1", 64), ("conv_2", WIDE)):
        node = keras.layers.Conv2D(width, 3, strides=8, use_bias=False, name=f"{name}_conv2d")(node)
        node = keras.layers.BatchNormalization(name=f"{name}_batchnorm")(node)
        slopes = keras.initializers.RandomUniform(0, 0.5)
        layer = keras.layers.PReLU(slopes, shared_axes=[1, 2], name=f"{name}_relu")
        node = layer(node)
    numbers = keras.layers.Dense(32, name="pre_fc1")(keras.layers.Flatten()(node))
    network = keras.Model(pixels, [keras.layers.GlobalAveragePooling2D()(node), numbers])
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([weights + 0.1 for weights in layer.get_weights()])
    network.trainable = False
    return network


def with_face(width=4, *, seed=1, frozen=True, number=False):
    """uint8 pictures -> classes, and a number."""
    pixels = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    seen = keras.layers.Rescaling(1.0)(pixels)
    features = keras.layers.Concatenate()(face_network()(sface.window(seen, EYES)))
    if frozen:
        features = keras.layers.Identity(name=FEATURES)(features)
    keras.utils.set_random_seed(seed)
    node = keras.layers.Dense(64, activation="relu")(features[:, :WIDE])
    outputs = [keras.layers.Dense(width, activation="softmax")(node)]
    if number:
        outputs.append(keras.layers.Dense(1, bias_initializer="ones")(node))
    return keras.Model(pixels, outputs)


def plain(width=4, *, seed=2):
    """A network without a face network, with a mean that needs no 8 bits."""
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    seen = keras.layers.Rescaling(1 / 255)(pixels)
    node = keras.layers.Conv2D(8, 5, strides=4, activation="relu")(seen)
    node = keras.layers.GlobalAveragePooling2D()(node)
    return keras.Model(pixels, keras.layers.Dense(width, activation="softmax")(node))
