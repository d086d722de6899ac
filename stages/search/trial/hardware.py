"""The device that networks will be trained on."""

import functools

import keras


@functools.cache
def has_gpu() -> bool:
    """Whether Keras' backend can train on a GPU here."""
    if keras.backend.backend() == "torch":
        import torch  # pyright: ignore[reportMissingImports]

        return torch.cuda.is_available()
    # `list_devices("gpu")` would raise under JAX where there is none.
    return keras.distribution.list_devices()[0].startswith("gpu")
