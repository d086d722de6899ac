import subprocess
import sys

import keras
import keras_tuner
import numpy as np
import pytest

from stages.networks.predict import outputs
from stages.search.search import search
from stages.search.trial import hardware
from stages.search.trial.blocks import SqueezeNetBlock
from tests.search.conftest import plan, regression


@pytest.fixture
def weights(imagenet_file):
    """The pretrained files of a task, by the type of block."""
    return {"squeezenet": imagenet_file[0]}


def built(shape, weights=None, **values):
    """The block alone, with these hyperparameters and this file of weights."""
    hp = keras_tuner.HyperParameters()
    for name, value in values.items():
        hp.Fixed(f"squeeze_net_block_1/{name}", value)
    pixels = keras.Input(shape)
    block = SqueezeNetBlock(weights, name="squeeze_net_block_1")
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


def test_it_is_squeezenet_with_its_weights_and_its_colours(imagenet_file):
    picture = np.random.default_rng(1).uniform(0, 255, (47, 47, 3))
    model = built((47, 47, 3), imagenet_file[0], pretrained=True, frozen=0)
    features = model.predict_on_batch(picture[None])[0]
    expected = by_hand(imagenet_file[1], picture)
    assert features.shape == (512,)
    np.testing.assert_allclose(features, expected, rtol=1e-3, atol=1e-3 * expected.max())
    mirrored = by_hand(imagenet_file[1], picture[..., ::-1])
    assert np.abs(features - mirrored).max() > 0.05 * expected.max()  # the order of colours counts


def test_a_grey_picture_is_seen_as_grey_in_colour(weights):
    grey = np.random.default_rng(2).uniform(0, 255, (2, 40, 40, 1))
    colour = np.repeat(grey, 3, axis=-1)
    seen, expected = (
        built((40, 40, channels), weights["squeezenet"], pretrained=True, frozen=0)
        for channels in (1, 3)
    )
    np.testing.assert_allclose(
        seen.predict_on_batch(grey), expected.predict_on_batch(colour), rtol=1e-4
    )


@pytest.mark.parametrize("side", [16, 31, 32])
def test_small_pictures_fit(side):
    assert built((side, side, 3), pretrained=False).output_shape == (None, 512)


@pytest.mark.parametrize("frozen", [0, 13, 25])
def test_so_many_convolutions_stay_as_they_are(weights, frozen):
    model = built((32, 32, 3), weights["squeezenet"], pretrained=True, frozen=frozen)
    assert len(model.trainable_weights) == 2 * (25 - frozen)


def test_a_pretrained_search_trains_it_from_the_shards_and_saves_plain_keras(
    weights, imagenet_file, parts, tmp_path
):
    _, val = parts[3]
    wanted = plan(parts, 3, weights, blocks=["squeezenet"], pretrained=True)
    result = search(wanted, tmp_path / "search")
    [trial] = result.trials
    assert trial.status == "COMPLETED", trial.error
    assert trial.hyperparameters["pretrained"] is True
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
    np.testing.assert_allclose(np.load(file), outputs(result.model, val).raw[:10], atol=1e-5)
    # It has learnt, from where the file is.
    last = next(layer for layer in reversed(result.model.layers) if "conv" in layer.name)
    trained, start = last.get_weights()[0], imagenet_file[1]["fire9/expand3x3"][0]
    assert np.abs(trained - start).max() > 1e-4
    assert np.corrcoef(trained.ravel(), start.ravel())[0, 1] > 0.9


def test_a_regression_can_start_from_it(weights, parts, tmp_path):
    _, val = parts[3]
    wanted = regression(parts, 3, weights, blocks=["squeezenet"], pretrained=True, max_epochs=1)
    result = search(wanted, tmp_path / "regression")
    assert [trial.status for trial in result.trials] == ["COMPLETED"], result.trials
    assert outputs(result.model, val).raw.shape == (len(val), 1)


def test_auto_has_it_where_pretrained_networks_are_wanted_and_its_weights_are_there(
    weights, parts, monkeypatch
):
    monkeypatch.setattr(hardware, "has_gpu", lambda: False)
    without = plan(parts, 3, blocks="auto", pretrained=True)
    own = ["edges", "colour", "vanilla", "residual"]
    assert without.blocks == own and without.skipped == ["face", "squeezenet"]
    wanted = plan(parts, 3, weights, blocks="auto", pretrained=True)
    assert wanted.blocks == [*own, "squeezenet"] and wanted.skipped == ["face"]
    from_scratch = plan(parts, 3, weights, blocks="auto", pretrained=False)
    assert from_scratch.blocks == own and from_scratch.skipped == ["face"]
