"""The original team's networks, by name, each with the pictures that it was made for."""

from functools import partial
from pathlib import Path

import keras
from keras import layers

from stages.baseline.network import Architecture, Shape

LEARNING_RATE = 1e-4  # of VGG16 from scratch; Keras' own 1e-3 is too much without normalisation


def _sorting_hat_cnn(shape: Shape, n_classes: int, pretrained: Path | None = None) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input(shape),
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
    convolution = {"activation": "relu", "kernel_initializer": "he_normal"}
    dense = convolution | {"kernel_regularizer": "l2"}
    model = keras.Sequential(
        [
            keras.Input(shape),
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
    model = keras.Sequential(
        [
            keras.Input(shape),
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

    VGG16, Flatten, `dense` times Dense(100, relu, l2), softmax. With ImageNet weights only the
    layers on top learn. From scratch all do, and the convolutions start as He et al. (2015,
    https://arxiv.org/abs/1502.01852) say: with Keras' default next to nothing of the picture
    reaches the top.
    """
    top = [layers.Dense(100, activation="relu", kernel_regularizer="l2") for _ in range(dense)]
    model = keras.Sequential(
        [
            keras.Input(shape),
            _vgg16_base(shape, pretrained),
            layers.Flatten(),
            *top,
            layers.Dense(n_classes, activation="softmax"),
        ]
    )
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


NETWORKS = {
    "sorting_hat_cnn": Architecture(
        "the original Sorting Hat: a CNN with ELU and LeakyReLU, trained with Nadam",
        (64, 64, 3),
        _sorting_hat_cnn,
    ),
    "age_cnn": Architecture(
        "the original age network: two convolutions with l1, three dense layers with l2",
        (64, 64, 3),
        _age_cnn,
    ),
    "idol_dnn": Architecture(
        "the original look-alike network: dense layers on the pixels, no convolution",
        (200, 200, 1),
        _idol_dnn,
    ),
    "tone_vgg": Architecture(
        "the original tone network: VGG16 and a softmax",
        (32, 32, 3),
        partial(_vgg16, dense=0),
    ),
    "age_vgg16": Architecture(  # the original had one to three dense layers
        "the original transfer network for age: VGG16 and two dense layers with l2",
        (64, 64, 3),
        partial(_vgg16, dense=2),
    ),
}
