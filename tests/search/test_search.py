import json
from pathlib import Path

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.common.params import Search, load
from stages.common.predict import probabilities
from stages.common.shards import Shards
from stages.search.search import fingerprint, search

SMALL = {"max_epochs": 2, "samples_per_epoch": 120, "batch_size": 24, "max_trials": 1}


def small(**changes) -> Search:
    params = load(Path("params.yaml")).tasks["age"].search
    return Search.model_validate(params.model_dump() | SMALL | changes)


class Recorder:
    def __init__(self):
        self.heard = []

    def trial_begins(self, trial):
        self.heard.append(("begin", trial["trial"]))

    def epoch_ends(self, trial, epoch):
        self.heard.append(("epoch", trial["trial"], epoch["epoch"]))

    def trial_ends(self, trial):
        self.heard.append(("end", trial["trial"], trial["status"]))


@pytest.fixture(scope="module")
def first_three(parts, tmp_path_factory):
    """A search of three trials, its scratch folder and what a listener heard."""
    train, val = parts[3]
    scratch = tmp_path_factory.mktemp("search") / "three"
    recorder = Recorder()
    return search(small(max_trials=3), train, val, 3, scratch, recorder), scratch, recorder


def without_times(trials):
    keys = ("trial", "status", "hyperparameters", "score", "best_epoch", "parameters")
    return [{key: trial[key] for key in keys} for trial in trials]


def test_the_model_is_the_winning_trials_best_epoch(first_three, parts):
    result, _, _ = first_three
    _, val = parts[3]
    p = probabilities(result.model, val)
    loss = -np.log(np.clip(p[np.arange(len(val)), val.labels], 1e-7, 1)).mean()
    best = result.trials[result.best]
    assert best["score"] == min(trial["score"] for trial in result.trials)
    assert loss == pytest.approx(best["score"], abs=1e-3)
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)


def test_trials_are_reported_while_they_train(first_three):
    _, _, recorder = first_three
    one = lambda t: [("begin", t), ("epoch", t, 0), ("epoch", t, 1), ("end", t, "COMPLETED")]  # noqa: E731
    assert recorder.heard == one(0) + one(1) + one(2)


def test_more_trials_go_on_where_the_search_stood(first_three, parts, tmp_path):
    """2 + 1 trials are the same three as 3: hyperparameters and scores; and fewer run none."""
    whole, _, _ = first_three
    train, val = parts[3]
    search(small(max_trials=2), train, val, 3, tmp_path / "steps")
    recorder = Recorder()
    stepped = search(small(max_trials=3), train, val, 3, tmp_path / "steps", recorder)
    assert {heard[1] for heard in recorder.heard} == {2}
    assert without_times(stepped.trials) == without_times(whole.trials)

    recorder = Recorder()
    fewer = search(small(max_trials=1), train, val, 3, tmp_path / "steps", recorder)
    assert recorder.heard == []
    assert without_times(fewer.trials) == without_times(whole.trials[:1])
    assert fewer.best == 0


def test_an_interrupted_trial_is_run_again_with_the_same_hyperparameters(
    first_three, parts, tmp_path
):
    class CtrlC(Recorder):
        def epoch_ends(self, trial, epoch):
            if trial["trial"] == 1:
                raise KeyboardInterrupt

    whole, _, _ = first_three
    train, val = parts[3]
    with pytest.raises(KeyboardInterrupt):
        search(small(max_trials=3), train, val, 3, tmp_path / "cut", CtrlC())
    recorder = Recorder()
    again = search(small(max_trials=3), train, val, 3, tmp_path / "cut", recorder)
    assert recorder.heard[0] == ("begin", 1)
    assert without_times(again.trials) == without_times(whole.trials)


def test_two_classes_and_the_model_loads_without_autokeras(parts, tmp_path):
    import subprocess
    import sys

    train, val = parts[2]
    result = search(small(objective="val_accuracy"), train, val, 2, tmp_path / "two")
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
    np.testing.assert_allclose(loaded, probabilities(result.model, val)[:10, 1], atol=1e-5)


def test_a_failed_trial_is_recorded_and_the_search_goes_on(parts, tmp_path, monkeypatch):
    train, val = parts[3]
    real_read, calls = Shards.read, []

    def breaks_once(self, rows):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the disk hiccuped")
        return real_read(self, rows)

    monkeypatch.setattr(Shards, "read", breaks_once)
    result = search(small(max_trials=2), train, val, 3, tmp_path / "failing")
    assert [trial["status"] for trial in result.trials] == ["FAILED", "COMPLETED"]
    assert "the disk hiccuped" in result.trials[0]["error"]
    assert result.best == 1


def test_nothing_but_failures_is_an_error_that_says_why(parts, tmp_path):
    train, val = parts[3]
    with pytest.raises(UserError, match=r"all 2 trials failed(?s:.*)Oversized model"):
        search(small(max_trials=2, max_model_size=10), train, val, 3, tmp_path / "tiny")


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_the_other_tuners_train_from_shards_too(parts, tmp_path, tuner):
    train, val = parts[3]
    result = search(small(tuner=tuner), train, val, 3, tmp_path / tuner)
    assert [trial["status"] for trial in result.trials] == ["COMPLETED"]


def test_fingerprint_follows_data_and_parameters_but_not_max_trials(parts, tmp_path):
    train, val = parts[3]
    base = fingerprint(small(), train.folder, val.folder)
    assert base == fingerprint(small(max_trials=9), train.folder, val.folder)
    assert base != fingerprint(small(seed=9), train.folder, val.folder)
    assert base != fingerprint(small(), train.folder, parts[2][1].folder)


def test_names_of_the_space_are_autokeras_own(first_three):
    """A hyperparameter that AutoKeras does not know would silently restrict nothing."""
    import keras
    import keras_tuner

    from stages.search.space import IMAGE, seeds, space

    _, scratch, _ = first_three
    state = json.loads((scratch / "oracle.json").read_text())
    known = {hp["config"]["name"] for hp in state["hyperparameters"]["space"]}
    declared = {
        hp.name for hp in space(["vanilla", "resnet", "efficient", "xception"], False).space
    }
    # What AutoKeras asks for by itself while building, without our declarations:
    import autokeras as ak

    names = set()
    for block in ("vanilla", "resnet", "efficient", "xception"):
        image = ak.ImageInput()
        image.shape, image.dtype = (71, 71, 3), "uint8"
        head = ak.ClassificationHead(num_classes=3)
        head.shape = (3,)
        asked = keras_tuner.HyperParameters()
        asked.Fixed(IMAGE + "block_type", block)
        keras.backend.clear_session()  # AutoKeras numbers its blocks; the numbers are in the names
        ak.graph.Graph(inputs=image, outputs=head(ak.ImageBlock()(image))).build(asked)
        names |= {hp.name for hp in asked.space}
        assert {name for name in seeds([block], False)[0] if "/filters_" not in name} <= names
    unused = {name for name in declared if "/filters_" in name}  # a network asks for its own
    assert declared - unused <= names
    assert known - unused <= names
