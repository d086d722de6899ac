"""What the networks will be trained on."""

import functools

import keras


@functools.cache
def has_gpu() -> bool:
    """Whether Keras' backend can train on a GPU here."""
    if keras.backend.backend() == "torch":
        import torch

        return torch.cuda.is_available()
    # Asked for GPUs by name, JAX raises where there are none.
    return keras.distribution.list_devices()[0].startswith("gpu")
