import json
from pathlib import Path

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.networks.predict import outputs
from stages.records import attempts
from stages.records.faces import EyePlaces
from stages.records.shards import Shards
from stages.records.trials import Attempt
from stages.search.control import Control
from stages.search.search import search
from tests.networks.test_sface import write
from tests.search.conftest import plan, without_times


@pytest.fixture(scope="module")
def first_three(parts, tmp_path_factory):
    """A search of three trials and its scratch folder."""
    scratch = tmp_path_factory.mktemp("search") / "three"
    return search(plan(parts, 3, max_trials=3), scratch), scratch


def test_the_model_is_the_winning_trials_best_epoch(first_three, parts):
    result, _ = first_three
    _, val = parts[3]
    p = outputs(result.model, val).raw
    loss = -np.log(np.clip(p[np.arange(len(val)), val.labels], 1e-7, 1)).mean()
    best = result.best
    assert best.score == min(trial.score for trial in result.trials)
    assert loss == pytest.approx(best.score, abs=1e-3)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)


def test_an_attempt_says_what_its_trial_did(first_three):
    result, scratch = first_three
    found = attempts.read(scratch)
    assert found == result.trials
    for trial, attempt in enumerate(found):
        assert (attempt.trial, attempt.attempt) == (trial, 1)
        assert attempt.score == min(epoch.val_loss for epoch in attempt.epochs)
        assert [epoch.epoch for epoch in attempt.epochs] == [0, 1]
        for epoch in attempt.epochs:
            assert epoch.learning_rate == pytest.approx(1e-3)
            assert epoch.pictures_per_second > 0
            assert 0 <= epoch.data_wait <= 1
            assert epoch.memory_mb > 100


def test_more_trials_go_on_where_the_search_stood(first_three, parts, tmp_path):
    """1 + 1 + 1 trials are the same three as 3: hyperparameters and scores; and fewer run none."""
    whole, _ = first_three
    for max_trials in (1, 2, 3):
        stepped = search(plan(parts, 3, max_trials=max_trials), tmp_path / "steps")
    assert without_times(stepped.trials) == without_times(whole.trials)
    assert [attempt.attempt for attempt in attempts.read(tmp_path / "steps")] == [1, 1, 1]

    fewer = search(plan(parts, 3, max_trials=1), tmp_path / "steps")
    assert fewer.trials == stepped.trials[:1]
    assert fewer.best.trial == 0


def test_two_classes_and_the_model_loads_without_autokeras(parts, tmp_path):
    import subprocess
    import sys

    _, val = parts[2]
    result = search(plan(parts, 2, objective="val_accuracy"), tmp_path / "two")
    assert result.model.output_shape == (None, 1)
    result.model.save(tmp_path / "model.keras")
    code = (
        "import sys, numpy as np, keras\n"
        "model = keras.saving.load_model(sys.argv[1], compile=False)\n"
        "assert 'autokeras' not in sys.modules\n"
        "print(*model.predict_on_batch(np.load(sys.argv[2]))[:, 0])"
    )
    images = tmp_path / "some.npy"
    np.save(images, val.read(np.arange(10)))
    command = [sys.executable, "-c", code, tmp_path / "model.keras", images]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    loaded = np.array(out.split()[-10:], float)
    np.testing.assert_allclose(loaded, outputs(result.model, val).raw[:10, 0], atol=1e-5)


def test_a_failed_trial_is_recorded_and_the_search_goes_on(parts, tmp_path, monkeypatch):
    real_read, calls = Shards.read, []

    def breaks_once(self, rows):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the disk hiccuped")
        return real_read(self, rows)

    monkeypatch.setattr(Shards, "read", breaks_once)
    result = search(plan(parts, 3, max_trials=2), tmp_path / "failing")
    assert [trial.status for trial in result.trials] == ["FAILED", "COMPLETED"]
    assert "the disk hiccuped" in result.trials[0].error
    assert result.best.trial == 1


def test_nothing_but_failures_is_an_error_that_says_why(parts, tmp_path):
    with pytest.raises(UserError, match=r"all 2 trials failed(?s:.*)Oversized model"):
        search(plan(parts, 3, max_trials=2, max_parameters=10), tmp_path / "tiny")


def test_out_of_memory_halves_the_batch_first(parts, tmp_path, monkeypatch):
    import keras
    import tensorflow as tf

    real_fit, sizes = keras.Model.fit, []

    def needs_memory(self, batches, **kwargs):
        sizes.append(batches.batch_size)
        if batches.batch_size > 6:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return real_fit(self, batches, **kwargs)

    monkeypatch.setattr(keras.Model, "fit", needs_memory)
    result = search(plan(parts, 3), tmp_path / "oom")
    assert sizes == [24, 12, 6]
    assert [(t.status, t.batch_size) for t in result.trials] == [("COMPLETED", 6)]


def test_a_trial_that_kills_its_process_twice_is_given_up(parts, tmp_path):
    """Its crashes are known from its attempts, as `supervise` writes them down."""
    scratch = tmp_path / "crashing"
    for number in (1, 2):
        died = Attempt(
            trial=0,
            attempt=number,
            status="INTERRUPTED",
            hyperparameters={},
            worker="alone",
            started_ms=0,
            error="killed by SIGKILL",
            crashed=True,
        )
        attempts.write(scratch, died)
    result = search(plan(parts, 3, max_trials=2), scratch)
    assert [t.status for t in result.trials] == ["FAILED", "COMPLETED"]
    assert "gave up after 2 times: killed by SIGKILL" in result.trials[0].error


def test_told_to_stop_it_ends_after_the_epoch_and_later_goes_on(first_three, parts, tmp_path):
    class InTheFirstEpoch(Control):
        @property
        def stop(self):
            return bool(attempts.read(tmp_path / "stopped"))

        @stop.setter
        def stop(self, value): ...

    _, val = parts[3]
    early = search(plan(parts, 3, max_trials=3), tmp_path / "stopped", InTheFirstEpoch())
    [only] = early.trials
    assert (only.status, len(only.epochs)) == ("STOPPED", 1)
    p = outputs(early.model, val).raw
    loss = -np.log(np.clip(p[np.arange(len(val)), val.labels], 1e-7, 1)).mean()
    assert loss == pytest.approx(only.score, abs=1e-3)

    whole, _ = first_three
    later = search(plan(parts, 3, max_trials=3), tmp_path / "stopped")
    assert without_times(later.trials) == without_times(whole.trials)


def test_a_final_fit_trains_on_all_photos_and_just_once(parts, tmp_path, monkeypatch):
    from stages.search.trial import lesson

    train, val = parts[3]
    joined = lesson.Joined(train, val, lesson.copies(train))
    assert len(joined) == len(train) + 4 * len(val)  # as many copies as training photos have
    rows = np.array([3, len(train) + 7, len(train) + len(val) + 7])
    np.testing.assert_array_equal(joined.read(rows)[0], train.read(rows[:1])[0])
    for picture in joined.read(rows)[1:]:
        np.testing.assert_array_equal(picture, val.read(np.array([7]))[0])

    wanted = plan(parts, 3, max_epochs=4, final_fit=True)
    result = search(wanted, tmp_path / "final")
    model, [record] = result.model, result.final_fits
    assert record.status == "COMPLETED"
    before = -np.log(result.val.raw[np.arange(len(val)), val.labels]).mean()
    assert before == pytest.approx(result.gain.together, rel=1e-5)
    assert len(record.epochs) == result.trials[0].best_epoch + 1
    assert (outputs(model, val).raw.argmax(1) == val.labels).mean() > 0.9
    monkeypatch.setattr(lesson, "Joined", None)  # whoever trains again fails
    again = search(wanted, tmp_path / "final").model
    np.testing.assert_allclose(outputs(again, val).raw, outputs(model, val).raw, atol=1e-6)


def test_on_a_gpu_it_trains_in_mixed_precision_and_the_winner_is_plain(
    parts, tmp_path, monkeypatch
):
    from stages.search.trial import hardware
    from stages.search.trial.blocks import ResidualBlock

    policies, build = [], ResidualBlock.build

    def remembers(self, hp, inputs=None):
        import keras

        policies.append(keras.config.dtype_policy().name)
        return build(self, hp, inputs)

    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    monkeypatch.setattr(ResidualBlock, "build", remembers)
    result = search(plan(parts, 3, blocks=["residual"]), tmp_path / "mixed")
    assert policies[-2:] == ["mixed_float16", "float32"]  # the trial's and the winner's
    assert {weight.dtype for weight in result.model.weights} >= {"float32"}
    assert result.model.dtype_policy.name == "float32"
    assert result.trials[0].status == "COMPLETED"
    assert np.isfinite(result.trials[0].score)


def test_auto_means_what_the_machine_can_train(parts, monkeypatch):
    from stages.search.trial import hardware

    auto = plan(parts, 3, {"face": Path("sface.onnx")}, blocks="auto", pretrained=False)
    monkeypatch.setattr(hardware, "has_gpu", lambda: False)
    small = ["face", "edges", "colour", "vanilla", "residual"]
    assert auto.blocks == small
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    assert auto.blocks == [*small, "efficient", "resnet", "xception"]
    assert plan(parts, 3, blocks=["xception"]).blocks == ["xception"]


def test_networks_whose_imagenet_weights_cannot_be_had_are_not_proposed(parts):
    wanted = plan(parts, 3, blocks=["vanilla", "efficient", "xception"], pretrained=True)
    assert wanted.blocks == ["vanilla"]
    assert wanted.skipped == ["efficient", "xception"]
    with pytest.raises(UserError, match="all start from weights, and there are none"):
        search(plan(parts, 3, blocks=["xception"], pretrained=True), Path("never"))


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_the_other_tuners_train_from_shards_too(parts, tmp_path, tuner):
    result = search(plan(parts, 3, tuner=tuner), tmp_path / tuner)
    assert [trial.status for trial in result.trials] == ["COMPLETED"]


def test_names_of_the_space_are_autokeras_own(first_three, tmp_path):
    """A hyperparameter that AutoKeras does not know would silently restrict nothing."""
    import autokeras as ak
    import keras
    import keras_tuner

    from stages.search.trial.blocks import ImageBlock
    from stages.search.trial.space import ALL, IMAGE, seeds, space

    write(tmp_path / "sface.onnx")
    files, eyes = {"face": tmp_path / "sface.onnx"}, EyePlaces(71, ((24.0, 33.0), (46.0, 33.0)))
    _, scratch = first_three
    state = json.loads((scratch / "oracle.json").read_text())
    known = {hp["config"]["name"] for hp in state["hyperparameters"]["space"]}
    blocks = (*ALL, "squeezenet")
    declared = {hp.name for hp in space(blocks, False, True).space}
    # What AutoKeras asks for by itself while building, without our declarations:
    names = {"weight_decay"}  # our own, see `lesson`
    for block in blocks:
        image = ak.ImageInput()
        image.shape, image.dtype = (71, 71, 3), "uint8"
        head = ak.ClassificationHead(num_classes=3)
        head.shape = (3,)
        asked = keras_tuner.HyperParameters()
        asked.Fixed(IMAGE + "block_type", block)
        keras.backend.clear_session()  # AutoKeras numbers its blocks; the numbers are in the names
        node = ImageBlock(files, eyes, name="image_block_1")(image)
        ak.graph.Graph(inputs=image, outputs=head(node)).build(asked)
        names |= {hp.name for hp in asked.space}
        [first, *_] = seeds([block], False, False, "classification_head_1")
        assert {name for name in first if "/filters_" not in name} <= names
    unused = {name for name in declared if "/filters_" in name}  # a network asks for its own
    assert declared - unused <= names
    assert known - unused <= names
