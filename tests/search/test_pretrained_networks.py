"""AutoKeras' pretrained blocks start from a given file, never from Keras' cache or a download."""

import autokeras as ak
import keras
import keras_tuner
import numpy as np
import pytest

from stages.search.trial.blocks import ImageBlock
from stages.search.trial.pretrained import from_file
from stages.search.trial.space import APPLICATIONS, space


def test_the_file_takes_the_place_of_imagenet_and_none_stays_none(tmp_path):
    asked = []
    network = from_file(lambda **given: asked.append(given), tmp_path / "a.h5")
    network(weights="imagenet", include_top=False)
    network(weights=None, include_top=False, input_shape=(32, 32, 3))
    assert asked == [
        {"weights": str(tmp_path / "a.h5"), "include_top": False},
        {"weights": None, "include_top": False, "input_shape": (32, 32, 3)},
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    "block, network",
    [
        ("efficient", keras.applications.EfficientNetB0),
        ("resnet", keras.applications.ResNet50V2),
        ("xception", keras.applications.Xception),
    ],
)
def test_a_large_network_has_the_weights_of_its_file(tmp_path, monkeypatch, block, network):
    monkeypatch.setattr(keras.utils, "get_file", None)  # a download would fail
    saved = network(weights=None, include_top=False)
    path = tmp_path / "network_notop.weights.h5"
    saved.save_weights(path)
    image = ak.ImageInput()
    image.shape, image.dtype = (75, 75, 3), "uint8"
    head = ak.ClassificationHead(num_classes=3)
    head.shape = (3,)
    keras.backend.clear_session()  # AutoKeras numbers its blocks
    node = ImageBlock({block: path}, name="image_block_1")(image)
    hp: keras_tuner.HyperParameters = space([block], True, False)
    built = ak.graph.Graph(inputs=image, outputs=head(node)).build(hp)
    assert hp.values[APPLICATIONS[block][0] + "pretrained"] is True
    [inner] = [layer for layer in built.layers if isinstance(layer, keras.Model)]
    for ours, expected in zip(inner.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(ours, expected)
