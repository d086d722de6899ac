"""What does not train is computed once, whatever is killed, repeated or added in between."""

import subprocess
import sys
from dataclasses import replace
from math import ceil

import keras
import numpy as np
import pytest
import tensorflow as tf

from stages.networks.cost import cost
from stages.networks.predict import outputs
from stages.records.faces import EyePlaces
from stages.records.shards import InMemory
from stages.records.trials import FEATURES
from stages.search.search import search
from stages.search.trial import features as room
from stages.search.trial.features import BATCH, Features, halves
from tests.networks.test_sface import write
from tests.search.conftest import plan, without_times

EDGES = {"blocks": ["edges"], "batch_size": 12, "ensemble": 5}


def network(units=4, seed=0):
    """A frozen layer and a head with `units` outputs."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    pixels = keras.Input((8, 8, 3), dtype="uint8")
    node = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(pixels))
    node = keras.layers.Dense(5, trainable=False, bias_initializer="ones")(node)
    node = keras.layers.Identity(name=FEATURES)(node)
    return keras.Model(pixels, keras.layers.Dense(units)(keras.layers.Dropout(0.5)(node)))


def pictures(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 8, 8, 3)).astype(np.uint8)


class Count:
    """How many batches have been computed."""

    def __init__(self):
        self.batches = 0

    def __call__(self, batches):
        self.batches += len(batches)
        return batches


@pytest.mark.slow
def test_trunk_and_head_together_are_the_network():
    whole, some = network(), pictures(10)
    parts = halves(whole)
    trunk, head = parts.trunk, parts.head
    np.testing.assert_allclose(
        head.predict_on_batch(trunk.predict_on_batch(some)), whole.predict_on_batch(some), rtol=1e-6
    )
    assert len(head.trainable_weights) == len(whole.trainable_weights) == 2


@pytest.mark.slow
def test_a_network_that_trains_before_its_features_is_refused():
    whole = network()
    whole.layers[3].trainable = True
    with pytest.raises(ValueError, match="layers that train"):
        halves(whole)


@pytest.mark.slow
def test_each_picture_is_computed_once_in_any_row_part_or_head(tmp_path):
    some, count = pictures(150), Count()
    parts = halves(network())
    expected = parts.trunk.predict_on_batch(some)
    kept = Features(parts, InMemory(some), tmp_path, count)
    assert count.batches == ceil(150 / BATCH) and kept.shape == (150, 5)
    rows = np.array([149, 0, 7, 7])
    np.testing.assert_allclose(kept.read(rows), expected[rows], atol=1e-5)

    others = np.concatenate([some[::-1], pictures(3, seed=1), some[:2]])  # three new ones
    again = halves(network(units=9))  # another head
    more = Features(again, InMemory(others), tmp_path, count)
    assert count.batches == ceil(150 / BATCH) + 1
    expected = again.trunk.predict_on_batch(others)
    np.testing.assert_allclose(more.read(np.arange(155)), expected, atol=1e-5)


@pytest.mark.slow
def test_another_trunk_has_features_of_its_own(tmp_path):
    some = InMemory(pictures(4))
    one, other = (
        Features(halves(network(seed=seed)), some, tmp_path).read(np.arange(4)) for seed in (0, 1)
    )
    assert np.abs(one - other).max() > 0.1


@pytest.mark.slow
def test_much_work_is_done_by_litert_if_the_backend_can_write_its_file(tmp_path, monkeypatch):
    some, parts = pictures(BATCH + 3), halves(network())
    monkeypatch.setattr(room, "CONVERTING", (BATCH + 3) * cost(parts.trunk))
    found = {}
    for name, backend, n in (
        ("lite", "tensorflow", 0),
        ("few", "tensorflow", 1),
        ("jax", "jax", 0),
    ):
        monkeypatch.setattr(keras.backend, "backend", lambda backend=backend: backend)
        seen = InMemory(some[n:])
        found[name] = Features(parts, seen, tmp_path / name).read(np.arange(len(seen)))
        assert bool(list((tmp_path / name).rglob("*.tflite"))) == (name == "lite")
    np.testing.assert_allclose(found["lite"], found["jax"], atol=1e-5)
    np.testing.assert_array_equal(found["few"], found["jax"][1:])


@pytest.mark.slow
def test_killed_at_any_byte_it_goes_on(tmp_path):
    some = pictures(130)
    parts = halves(network())
    expected = Features(parts, InMemory(some), tmp_path).read(np.arange(130))
    [folder] = tmp_path.iterdir()
    for name, left in (("features", 64 * 20 + 7), ("hashes", 64 * 8 + 3), ("features", 0)):
        with (folder / name).open("r+b") as file:
            file.truncate(left)
        again = Features(parts, InMemory(some), tmp_path)
        np.testing.assert_array_equal(again.read(np.arange(130)), expected)


def test_a_search_of_heads_is_repeatable_and_its_model_is_whole(parts, tmp_path, monkeypatch):
    """1 + 1 trials are the same two as 2, and compute no feature again."""
    _, val = parts[3]
    wanted = plan(parts, 3, max_trials=2, **EDGES)
    whole = search(wanted, tmp_path / "whole")
    assert [trial.status for trial in whole.trials] == ["COMPLETED"] * 2
    assert [len(trial.epochs) for trial in whole.trials] == [10, 10]  # five for each of two
    assert [trial.feature_seconds is None for trial in whole.trials] == [False, True]
    answers = outputs(whole.model, val).raw
    loss = -np.log(answers[np.arange(len(val)), val.labels]).mean()
    assert loss == pytest.approx(whole.gain.together, rel=0.01)
    np.testing.assert_allclose(answers, whole.val.raw, atol=1e-5)

    computed = []
    monkeypatch.setattr(room, "_answering", lambda *given: computed.append(given))
    for max_trials in (1, 2):
        stepped = search(plan(parts, 3, max_trials=max_trials, **EDGES), tmp_path / "steps")
    assert without_times(stepped.trials) == without_times(whole.trials)
    assert not computed  # the first search has computed them all


def test_the_face_network_is_found_trained_and_saved_as_plain_keras(parts, tmp_path):
    """With random weights: the file is laid out as SFace's."""
    write(tmp_path / "sface.onnx")
    files, eyes = {"face": tmp_path / "sface.onnx"}, EyePlaces(24, ((8.0, 11.0), (15.0, 11.0)))
    wanted = plan(parts, 3, files, blocks=["face"], feature_copies=1)
    assert replace(wanted, pretrained={}).skipped == ["face"]
    result = search(replace(wanted, eyes=eyes), tmp_path / "face")
    [trial] = result.trials
    assert trial.status == "COMPLETED" and trial.hyperparameters["features"] == "embedding"
    result.model.save(tmp_path / "model.keras")
    some = parts[3][1].read(np.arange(10))
    np.save(tmp_path / "some.npy", some)
    code = (
        "import sys, numpy as np, keras\n"
        "model = keras.saving.load_model(sys.argv[1], compile=False)\n"
        "assert not {'autokeras', 'stages'} & set(sys.modules)\n"
        "np.save(sys.argv[2], model.predict_on_batch(np.load(sys.argv[2])))"
    )
    command = [sys.executable, "-c", code, tmp_path / "model.keras", tmp_path / "some.npy"]
    subprocess.run(command, check=True, cwd=tmp_path, capture_output=True)
    said = outputs(result.model, InMemory(some)).raw
    np.testing.assert_allclose(np.load(tmp_path / "some.npy"), said, atol=1e-5)


def test_out_of_memory_a_head_is_tried_again_with_the_same_patience(parts, tmp_path, monkeypatch):
    real_fit, tried = keras.Model.fit, []

    def needs_memory(self, batches, callbacks, **kwargs):
        early = [c for c in callbacks if isinstance(c, keras.callbacks.EarlyStopping)]
        tried.append((batches.batch_size, early[0].patience))
        if len(tried) == 1:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return real_fit(self, batches, callbacks=callbacks, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", needs_memory)
    search(plan(parts, 3, patience=2, **EDGES), tmp_path / "oom")
    assert tried == [(48, 4), (24, 4)]
