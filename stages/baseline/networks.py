"""The original team's networks, by name.

Every `build` takes the shape (H, W, C) of the `uint8` pictures, the number of classes and, for the
VGG networks, a file of ImageNet weights or None. It returns a compiled network that gives class
probabilities.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
from keras import layers

from stages.baseline.network import Build
from stages.common.errors import UserError

Shape = tuple[int, int, int]
SMALLEST = 32  # pixels a side that VGG16 takes: five poolings leave one
LEARNING_RATE = 1e-4  # of VGG16 from scratch; Keras' own 1e-3 is too much without normalisation


def _sorting_hat_cnn(shape: Shape, n_classes: int, pretrained: Path | None = None) -> keras.Model:
    """At least 12 pixels a side."""
    model = keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="elu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3),
            layers.LeakyReLU(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="elu"),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )
    model.compile("nadam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _age_cnn(shape: Shape, n_classes: int, pretrained: Path | None = None) -> keras.Model:
    """The original's pictures were 64 x 64 x 3."""
    convolution = {"activation": "relu", "kernel_initializer": "he_normal"}
    dense = convolution | {"kernel_regularizer": "l2"}
    model = keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(10, 3, kernel_regularizer="l1", **convolution),
            layers.MaxPooling2D(),
            layers.Conv2D(10, 3, kernel_regularizer="l1", **convolution),
            layers.MaxPooling2D(),
            layers.Flatten(),
            *(layers.Dense(100, **dense) for _ in range(3)),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def _idol_dnn(shape: Shape, n_classes: int, pretrained: Path | None = None) -> keras.Model:
    """The original's pictures were 200 x 200 x 1."""
    model = keras.Sequential(
        [
            keras.Input(shape, dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(64, activation="relu"),
            layers.Dense(n_classes, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.Adam(1e-3)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


def _vgg16(
    shape: Shape, n_classes: int, pretrained: Path | None = None, *, dense: int
) -> keras.Model:
    """VGG16 (Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556) without its top.

    Pixels / 255, VGG16, Flatten, `dense` times Dense(100, relu, l2), softmax. Grey pictures go into
    all three channels. With ImageNet weights only the layers on top learn. From scratch all do, and
    the convolutions start as He et al. (2015, https://arxiv.org/abs/1502.01852) say: with Keras'
    default next to nothing of the picture reaches the top.
    Raises `UserError` for pictures below 32 pixels.
    """
    if min(shape[:2]) < SMALLEST:
        raise UserError(
            f"VGG16 needs pictures of at least {SMALLEST} pixels a side; these have {shape[0]}. "
            "Raise augment.size, or take the VGG networks out of baseline.networks"
        )
    pictures = keras.Input(shape, dtype="uint8")
    x = layers.Rescaling(1 / 255)(pictures)
    if shape[2] == 1:
        x = layers.Concatenate()([x, x, x])
    x = _vgg16_base((*shape[:2], 3), pretrained)(x)
    x = layers.Flatten()(x)
    for _ in range(dense):
        x = layers.Dense(100, activation="relu", kernel_regularizer="l2")(x)
    model = keras.Model(pictures, layers.Dense(n_classes, activation="softmax")(x))
    optimizer = keras.optimizers.Adam(1e-3 if pretrained else LEARNING_RATE)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


def _vgg16_base(shape: Shape, pretrained: Path | None) -> keras.Model:
    base = keras.applications.VGG16(include_top=False, weights=pretrained, input_shape=shape)
    base.trainable = pretrained is None
    if pretrained is None:
        draw = keras.initializers.HeNormal()
        for layer in base.layers:
            if isinstance(layer, layers.Conv2D):
                layer.kernel.assign(draw(layer.kernel.shape))
    return base


@dataclass(frozen=True)
class Architecture:
    about: str  # for people
    build: Build


NETWORKS = {
    "sorting_hat_cnn": Architecture(
        "the original Sorting Hat: a CNN with ELU and LeakyReLU, trained with Nadam",
        _sorting_hat_cnn,
    ),
    "age_cnn": Architecture(
        "the original age network: two convolutions with l1, three dense layers with l2",
        _age_cnn,
    ),
    "idol_dnn": Architecture(
        "the original look-alike network: dense layers on the pixels, no convolution",
        _idol_dnn,
    ),
    "tone_vgg": Architecture(
        "the original tone network: VGG16 and a softmax, 32 pixels a side",
        partial(_vgg16, dense=0),
    ),
    "age_vgg16": Architecture(  # the original had one to three dense layers
        "the original transfer network for age: VGG16 and two dense layers with l2",
        partial(_vgg16, dense=2),
    ),
}
