"""The look-alike network: dense layers on the bare pixels."""

from pathlib import Path

import keras
from keras import layers

from stages.baseline import network
from stages.baseline.system import Fitted, Job

ABOUT = "the original look-alike network: dense layers on the pixels, no convolution"


def fit(job: Job) -> Fitted:
    return network.fit(job, build)


def build(
    shape: tuple[int, int, int], n_classes: int, pretrained: Path | None = None
) -> keras.Model:
    """`shape`: (H, W, C) of the uint8 pictures; the original's were 200 x 200 x 1."""
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
