"""The first network for age groups: two small convolutions, three dense layers."""

from pathlib import Path

import keras
from keras import layers

from stages.baseline import network
from stages.baseline.system import Fitted, Job

ABOUT = "the original age network: two convolutions with l1, three dense layers with l2"


def fit(job: Job) -> Fitted:
    return network.fit(job, build)


def build(
    shape: tuple[int, int, int], n_classes: int, pretrained: Path | None = None
) -> keras.Model:
    """`shape`: (H, W, C) of the uint8 pictures; the original's were 64 x 64 x 3."""
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
