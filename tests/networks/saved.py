"""A function of pictures as a network that was saved, loaded and copied."""

import keras
import numpy as np

from stages.search.trial.pure_keras import pure_keras


def answers(function, pictures, folder):
    """What `function` makes of uint8 `pictures`; fails where a saved or copied network differs."""
    inputs = keras.Input(pictures.shape[1:], dtype="uint8")
    network = keras.Model(inputs, function(keras.layers.Rescaling(1.0)(inputs)))
    assert not network.trainable_weights
    found = network.predict_on_batch(pictures)
    network.save(folder / "network.keras")
    loaded = keras.saving.load_model(folder / "network.keras", compile=False)
    for other in (loaded, pure_keras(network)):
        np.testing.assert_array_equal(other.predict_on_batch(pictures), found)
    return found


def answers_in_half_precision(function, pictures):
    """The same while new layers compute with 16 bits, as a search on a GPU may ask for."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        inputs = keras.Input(pictures.shape[1:], dtype="uint8")
        network = keras.Model(inputs, function(keras.layers.Rescaling(1.0)(inputs)))
    finally:
        keras.config.set_dtype_policy(policy)
    return network.predict_on_batch(pictures)


def faces(n, side, channels=3):
    """Smooth uint8 pictures, (n, side, side, channels): a grid of random colours, blown up."""
    import cv2

    grids = np.random.default_rng(side).integers(0, 256, (n, 12, 12, channels)).astype(np.uint8)
    large = [cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC) for grid in grids]
    return np.stack(large).reshape(n, side, side, channels)
