"""VGG16 without its top (Simonyan and Zisserman, 2015, https://arxiv.org/abs/1409.1556)."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
from keras import layers

from stages.common.errors import UserError
from stages.records.params import Weights

log = logging.getLogger(__name__)
FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"  # as Keras names it in its cache
SMALLEST = 32  # pixels a side: five poolings leave one
SECONDS = 20  # without a byte from a server
LEARNING_RATE = 1e-4  # from scratch; Keras' own 1e-3 is too much without batch normalisation


def imagenet(weights: Weights) -> Path | None:
    """The file of VGG16's ImageNet weights; None, and one warning, where it cannot be had.

    Looks into `weights.local` and Keras' cache, and downloads where `weights.download` allows.
    """
    cached = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models" / FILE
    local = weights.local and Path(weights.local, FILE)
    shape = SMALLEST, SMALLEST, 3
    try:
        if local and local.is_file():
            _base(shape, local)
            return local
        if weights.download:
            with _patience():
                keras.applications.VGG16(include_top=False, input_shape=shape)
        if cached.exists():
            _base(shape, cached)
            return cached
    except Exception as error:  # whatever a network or a damaged file can raise
        log.debug("no weights for VGG16", exc_info=error)
    log.warning(
        "no ImageNet weights for VGG16: its baselines are trained from scratch. Put %s into the "
        "folder weights.local, or let the machine download it",
        FILE,
    )
    return None


@contextmanager
def _patience() -> Iterator[None]:
    """A server that does not answer is given up; Keras by itself waits for ever."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def network(
    shape: tuple[int, int, int], n_classes: int, pretrained: Path | None, dense: int
) -> keras.Model:
    """Pixels / 255, VGG16, Flatten, `dense` times Dense(100, relu, l2), softmax; compiled.

    `shape`: (H, W, C) of the uint8 pictures; grey ones go into all three channels. With ImageNet
    weights only the layers on top learn. From scratch all do, and the convolutions start as He et
    al. (2015, https://arxiv.org/abs/1502.01852) say: with Keras' default next to nothing of the
    picture reaches the top. Raises `UserError` for pictures below 32 pixels.
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
    x = _base((*shape[:2], 3), pretrained)(x)
    x = layers.Flatten()(x)
    for _ in range(dense):
        x = layers.Dense(100, activation="relu", kernel_regularizer="l2")(x)
    model = keras.Model(pictures, layers.Dense(n_classes, activation="softmax")(x))
    optimizer = keras.optimizers.Adam(1e-3 if pretrained else LEARNING_RATE)
    model.compile(optimizer, "categorical_crossentropy", metrics=["accuracy"])
    return model


def _base(shape: tuple[int, int, int], pretrained: Path | None) -> keras.Model:
    base = keras.applications.VGG16(include_top=False, weights=pretrained, input_shape=shape)
    base.trainable = pretrained is None
    if pretrained is None:
        draw = keras.initializers.HeNormal()
        for layer in base.layers:
            if isinstance(layer, layers.Conv2D):
                layer.kernel.assign(draw(layer.kernel.shape))
    return base
