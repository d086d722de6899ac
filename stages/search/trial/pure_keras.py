"""Networks without AutoKeras."""

import keras


def pure_keras(model: keras.Model) -> keras.Model:
    """The same network with AutoKeras' casting layer as a Keras one: loads without autokeras."""

    def plain(layer: keras.Layer) -> keras.Layer:
        if type(layer).__name__ == "CastToFloat32":
            return keras.layers.Rescaling(1.0, name=layer.name, dtype="float32")
        return layer.__class__.from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=plain)
    clone.set_weights(model.get_weights())
    for layer in clone.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # `set_weights` alone leaves the mean and variance unused
    return clone
