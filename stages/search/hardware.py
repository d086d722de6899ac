"""What the networks will be trained on."""

import functools

import keras


@functools.cache
def has_gpu() -> bool:
    """Whether Keras' backend can train on a GPU here."""
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    return bool(keras.distribution.list_devices("gpu"))
