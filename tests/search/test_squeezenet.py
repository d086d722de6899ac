import hashlib
import subprocess
import sys

import h5py
import keras
import keras_tuner
import numpy as np
import pytest

from stages.common.errors import UserError
from stages.common.predict import outputs
from stages.records.params import Weights
from stages.search.search import resolve, search
from stages.search.trial import hardware, imagenet
from stages.search.trial.blocks import FIRE, SqueezeNetBlock
from tests.search.conftest import small

NAME = imagenet.FILES["squeezenet"][1]


def shapes():
    """Keras-squeezenet's names of the convolutions, in its file's order, and their kernels."""
    yield "conv1", (3, 3, 3, 64)
    seen = 64
    for number, filters in enumerate(FIRE, start=2):
        yield f"fire{number}/squeeze1x1", (1, 1, seen, filters)
        yield f"fire{number}/expand1x1", (1, 1, filters, 4 * filters)
        yield f"fire{number}/expand3x3", (3, 3, filters, 4 * filters)
        seen = 8 * filters


@pytest.fixture(scope="session")
def imagenet_file(tmp_path_factory):
    """A file laid out as keras-squeezenet's, drawn at random; and its arrays by their names."""
    rng = np.random.default_rng(5)
    arrays = {
        name: (rng.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape), rng.normal(0, 0.1, shape[3]))
        for name, shape in shapes()
    }
    path = tmp_path_factory.mktemp("imagenet") / NAME
    with h5py.File(path, "w") as file:
        layers = [layer for name in arrays for layer in (name, f"{name}_relu")]
        file.attrs["layer_names"] = [name.encode() for name in ["input_1", *layers]]
        for layer in ["input_1", *layers]:
            group = file.create_group(layer)
            found = arrays.get(layer, ())
            names = [f"{layer}_{what}" for what in ("W", "b")[: len(found)]]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, found, strict=True):
                group[name] = array.astype(np.float32)
    return path, arrays


@pytest.fixture
def weights(imagenet_file, tmp_path, monkeypatch):
    """A machine without a network that has the file in `weights.local`."""
    path, _ = imagenet_file
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(imagenet, "SQUEEZENET_SHA256", digest)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return Weights(local=path.parent, download=False)


def built(shape, **values):
    """The block alone, with these hyperparameters."""
    hp = keras_tuner.HyperParameters()
    for name, value in values.items():
        hp.Fixed(f"squeeze_net_block_1/{name}", value)
    pixels = keras.Input(shape)
    block = SqueezeNetBlock(name="squeeze_net_block_1")
    return keras.Model(pixels, block._build_wrapper(hp, pixels))


def by_hand(arrays, picture):
    """SqueezeNet 1.1's mean features of a float (H, W, 3) RGB picture, in NumPy."""

    def convolve(x, name, stride=1):
        kernel, bias = arrays[name]
        if name.endswith("expand3x3"):
            x = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        k = kernel.shape[0]
        patches = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(0, 1))
        patches = patches[::stride, ::stride]
        return np.maximum(np.einsum("ijcxy,xycf->ijf", patches, kernel) + bias, 0)

    def pool(x):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(0, 1))[::2, ::2]
        return windows.max(axis=(3, 4))

    x = picture[..., ::-1] - [103.939, 116.779, 123.68]  # Caffe: BGR, less ImageNet's mean colour
    x = pool(convolve(x, "conv1", stride=2))
    for number in range(2, 10):
        squeezed = convolve(x, f"fire{number}/squeeze1x1")
        expanded = [convolve(squeezed, f"fire{number}/expand{k}x{k}") for k in (1, 3)]
        x = np.concatenate(expanded, axis=-1)
        x = pool(x) if number in (3, 5) else x
    return x.mean(axis=(0, 1))


def test_it_is_squeezenet_with_its_weights_and_its_colours(weights, imagenet_file):
    assert imagenet.usable(["squeezenet"], weights) == ["squeezenet"]
    picture = np.random.default_rng(1).uniform(0, 255, (47, 47, 3))
    model = built((47, 47, 3), pretrained=True, frozen=0)
    features = model.predict_on_batch(picture[None])[0]
    expected = by_hand(imagenet_file[1], picture)
    assert features.shape == (512,)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3 * expected.max())
    mirrored = by_hand(imagenet_file[1], picture[..., ::-1])
    assert np.abs(features - mirrored).max() > 0.05 * expected.max()  # the order of colours counts


def test_a_grey_picture_is_seen_as_grey_in_colour(weights):
    imagenet.usable(["squeezenet"], weights)
    grey = np.random.default_rng(2).uniform(0, 255, (2, 40, 40, 1))
    colour = np.repeat(grey, 3, axis=-1)
    seen = built((40, 40, 1), pretrained=True, frozen=0).predict_on_batch(grey)
    np.testing.assert_allclose(
        seen, built((40, 40, 3), pretrained=True, frozen=0).predict_on_batch(colour), rtol=1e-4
    )


@pytest.mark.parametrize("side", [16, 31, 32])
def test_small_pictures_fit(side):
    assert built((side, side, 3), pretrained=False).output_shape == (None, 512)


@pytest.mark.parametrize("frozen", [0, 13, 25])
def test_so_many_convolutions_stay_as_they_are(weights, frozen):
    imagenet.usable(["squeezenet"], weights)
    model = built((32, 32, 3), pretrained=True, frozen=frozen)
    assert len(model.trainable_weights) == 2 * (25 - frozen)


def test_a_pretrained_search_trains_it_from_the_shards_and_saves_plain_keras(
    weights, imagenet_file, parts, tmp_path
):
    train, val = parts[3]
    params = resolve(small(blocks=["squeezenet"], pretrained=True), weights)
    result = search(params, train, val, 3, tmp_path / "search")
    [trial] = result.trials
    assert trial["status"] == "COMPLETED", trial["error"]
    assert trial["hyperparameters"]["pretrained"] is True
    result.model.save(tmp_path / "model.keras")
    code = (
        "import sys, numpy as np, keras\n"
        "model = keras.saving.load_model(sys.argv[1], compile=False)\n"
        "assert not {'autokeras', 'stages'} & set(sys.modules)\n"
        "np.save(sys.argv[2], model.predict_on_batch(np.load(sys.argv[2])))"
    )
    file = tmp_path / "some.npy"
    np.save(file, val.read(np.arange(10)))
    command = [sys.executable, "-c", code, tmp_path / "model.keras", file]
    subprocess.run(command, check=True, cwd=tmp_path)
    np.testing.assert_allclose(np.load(file), outputs(result.model, val)[:10], atol=1e-5)
    # A final fit starts where the trial did.
    last = next(layer for layer in reversed(result.start().layers) if "conv" in layer.name)
    np.testing.assert_allclose(last.get_weights()[0], imagenet_file[1]["fire9/expand3x3"][0])
    trained = result.model.get_layer(last.name).get_weights()[0]
    assert np.abs(trained - last.get_weights()[0]).max() > 1e-4


def test_a_regression_can_start_from_it(weights, parts, tmp_path):
    train, val = parts[3]
    params = resolve(small(blocks=["squeezenet"], pretrained=True, max_epochs=1), weights)
    result = search(params, train, val, None, tmp_path / "regression")
    assert [trial["status"] for trial in result.trials] == ["COMPLETED"], result.trials
    assert outputs(result.model, val).shape == (len(val), 1)


def test_auto_has_it_where_pretrained_networks_are_wanted_and_its_weights_are_there(
    weights, monkeypatch, caplog
):
    monkeypatch.setattr(hardware, "has_gpu", lambda: False)
    wanted = small(blocks="auto", pretrained=True)
    nothing = Weights(local=None, download=False)
    assert resolve(wanted, nothing).blocks == ["vanilla", "residual"]
    [warning] = caplog.records
    assert "squeezenet" in warning.message and NAME in warning.message
    assert resolve(wanted, weights).blocks == ["vanilla", "residual", "squeezenet"]
    assert resolve(wanted, nothing).blocks[-1] == "squeezenet"  # it is in Keras' cache now
    from_scratch = resolve(small(blocks="auto", pretrained=False), weights)
    assert from_scratch.blocks == ["vanilla", "residual"]


def test_a_wrong_file_is_refused_by_name(weights, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.mkdir()
    (wrong / NAME).write_bytes(b"not found")
    with pytest.raises(UserError, match=NAME):
        imagenet.usable(["squeezenet"], Weights(local=wrong, download=False))
    assert not (tmp_path / "keras/models" / NAME).exists()


def test_a_damaged_file_in_the_cache_is_replaced(weights, tmp_path):
    cached = tmp_path / "keras/models" / NAME
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half of i")
    assert imagenet.usable(["squeezenet"], Weights(local=None, download=False)) == []
    assert imagenet.usable(["squeezenet"], weights) == ["squeezenet"]
    assert cached.read_bytes() == (weights.local / NAME).read_bytes()
    assert [file.name for file in cached.parent.iterdir()] == [NAME]
