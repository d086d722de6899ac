"""The Sorting Hat: a small CNN with ELU and LeakyReLU, trained with Nadam."""

from pathlib import Path

import keras
from keras import layers

from stages.baseline import network
from stages.baseline.system import Fitted, Job

ABOUT = "the original Sorting Hat: a CNN with ELU and LeakyReLU, trained with Nadam"


def fit(job: Job) -> Fitted:
    return network.fit(job, build)


def build(
    shape: tuple[int, int, int], n_classes: int, pretrained: Path | None = None
) -> keras.Model:
    """`shape`: (H, W, C) of the uint8 pictures, at least 12 pixels a side."""
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
