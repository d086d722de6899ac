"""The network in LiteRT's file answers as Keras' does."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.networks import export, lite
from stages.networks.lite import Lite
from stages.networks.predict import outputs
from stages.records.shards import InMemory
from stages.records.trials import LITE, MODEL
from tests.networks.saved import faces

pytestmark = pytest.mark.slow


def network(seed=1):
    """Classes and a number, whose order LiteRT's file does not keep."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    seen = keras.layers.Conv2D(8, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    seen = keras.layers.GlobalAveragePooling2D()(seen)
    number = keras.layers.Dense(1)(seen)
    classes = keras.layers.Dense(4, activation="softmax")(seen)
    return keras.Model(inputs, [classes, number])


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A network, and the folder with its files."""
    folder, made = tmp_path_factory.mktemp("saved"), network()
    export.save(made, folder, InMemory(faces(4, 32)))
    return made, folder


@pytest.mark.parametrize("n", [0, 1, 7, 40])
def test_it_answers_as_keras_in_every_number_of_pictures(saved, n):
    made, folder = saved
    pictures = InMemory(faces(40, 32)[:n])
    expected, found = outputs(made, pictures), outputs(Lite(folder), pictures)
    np.testing.assert_allclose(found.raw, expected.raw, atol=1e-6)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-6)
    assert found.raw.shape == (n, 4) and found.values.shape == (n,)


def test_neither_the_batch_nor_the_number_of_cores_decides_an_answer(saved, monkeypatch):
    _, folder = saved
    pictures = faces(9, 32)
    together = Lite(folder).predict_on_batch(pictures)[0]
    monkeypatch.setattr(lite, "cores", lambda: 1)
    alone = Lite(folder)
    for picture, said in zip(pictures, together, strict=True):
        np.testing.assert_array_equal(alone.predict_on_batch(picture[None])[0][0], said)


def test_a_file_that_answers_differently_is_refused(tmp_path, monkeypatch):
    convert = export.convert
    monkeypatch.setattr(export, "convert", lambda _, folder: convert(network(seed=2), folder))
    with pytest.raises(UserError, match=r"model\.tflite answers differently"):
        export.save(network(), tmp_path, InMemory(faces(4, 32)))


@pytest.mark.parametrize("content", [None, b"", b"PK", b"TFL3" * 100])
def test_a_missing_or_broken_file_is_an_error(tmp_path, content):
    if content is not None:
        (tmp_path / LITE).write_bytes(content)
    with pytest.raises(ValueError):
        Lite(tmp_path)


def test_half_a_file_is_an_error(saved, tmp_path):
    whole = (saved[1] / LITE).read_bytes()
    (tmp_path / LITE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError):
        Lite(tmp_path)


def test_another_backend_leaves_it_to_tensorflow(saved, tmp_path, monkeypatch):
    import keras

    made, folder = saved
    shutil.copy(folder / MODEL, tmp_path)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    export.convert(made, tmp_path)
    found, expected = (outputs(Lite(each), InMemory(faces(4, 32))) for each in (tmp_path, folder))
    np.testing.assert_array_equal(found.raw, expected.raw)


def test_answers_need_no_tensorflow(saved):
    code = (
        "import sys, numpy as np; from pathlib import Path; from stages.networks.lite import Lite\n"
        "print(Lite(Path(sys.argv[1])).predict_on_batch(np.zeros((2, 32, 32, 3), np.uint8))[0])\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, saved[1]], check=True, capture_output=True, text=True
    )
    assert not done.stderr  # a user has no use for which kernels it takes
