"""The stage as a process: killed, interrupted, with MLflow there and away."""

import json
import os
import random
import shutil
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from stages.records import attempts
from stages.records.trials import TRIALS
from stages.records.weights import WEIGHTS, Weight, Weights
from stages.tracking import store
from tests.search.conftest import REPO, without_times

EPOCH_METRICS = (
    *("loss", "val_loss", "val_accuracy", "learning_rate"),
    *("seconds", "pictures_per_second", "data_wait", "memory_mb"),
)


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def found(stage):
    root = stage.path / ".search/age"
    return attempts.read(stage.scratch) if root.exists() and any(root.iterdir()) else []


def trains(stage, trial=0, epochs=1):
    return any(
        a.trial == trial and a.status == "RUNNING" and len(a.epochs) >= epochs for a in found(stage)
    )


def result(stage):
    return TRIALS.read(stage.path / "data/search/age")


def mlflow_runs(stage):
    from mlflow import MlflowClient

    # By its full path: MLflow keeps connections by their address, and each test has its own store.
    client = MlflowClient(f"sqlite:///{stage.path}/mlruns/mlflow.db")
    runs = client.search_runs([store.experiment_id(client, "age")])
    return client, {run.info.run_id: run for run in runs}


def kill_all(process):
    """As when the machine dies: everything at once."""
    family = [process, *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        member.kill()
    process.communicate()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    from tests.search.conftest import Stage

    stage = Stage(tmp_path_factory.mktemp("undisturbed"), max_trials=3, max_epochs=40, patience=40)
    (stage.path / "sitecustomize.py").write_text("import sys; sys.modules['ray'] = None")  # no Ray
    stage.said = stage.run(PYTHONPATH=f"{stage.path}{os.pathsep}{REPO}")
    return stage


def test_mlflow_says_what_the_files_say(undisturbed):
    client, runs = mlflow_runs(undisturbed)
    content = result(undisturbed)
    [parent] = [run for run in runs.values() if run.data.tags["kind"] == "search"]
    assert parent.info.status == "FINISHED"
    children = {r.data.tags["trial"]: r for r in runs.values() if r.data.tags["kind"] == "trial"}
    assert len(children) == 3
    for trial in content.trials:
        run = children[str(trial.trial + 1)]
        assert run.info.status == "FINISHED"
        assert run.data.params["filters"] == trial.hyperparameters["filters"]
        for name in EPOCH_METRICS:
            curve = client.get_metric_history(run.info.run_id, name)
            assert [point.value for point in curve] == [getattr(row, name) for row in trial.epochs]
        assert run.data.metrics["trial_score"] == trial.score
        assert run.data.metrics["trial_parameters"] == trial.parameters

    scores = [trial.score for trial in content.trials]
    curve = client.get_metric_history(parent.info.run_id, "best_val_loss")
    assert [point.value for point in curve] == [min(scores[: n + 1]) for n in range(3)]
    data = {each.dataset.name: each for each in parent.inputs.dataset_inputs}
    assert set(data) == {"data/shards/age/train", "data/shards/age/val"}
    files = {file.path for file in client.list_artifacts(parent.info.run_id)}
    assert {"leaderboard.json", "architecture.txt"} <= files
    path = client.download_artifacts(parent.info.run_id, "leaderboard.json")
    table = json.loads(Path(path).read_text())
    ranked = [row[table["columns"].index("val_loss")] for row in table["data"]]
    assert ranked == sorted(scores)


def test_a_log_file_tells_how_the_search_is_doing(undisturbed):
    assert "trial 2, epoch 1 of at most 40: loss" in undisturbed.said
    assert "pictures/s; best so far" in undisturbed.said
    assert "to go" in undisturbed.said
    assert "Traceback" not in undisturbed.said and "INFO mlflow" not in undisturbed.said


def test_more_trials_are_added_and_fewer_run_none(stage):
    stage = stage(max_trials=1)
    stage.run()
    before = result(stage).trials
    stage.set(max_trials=2)
    stage.run()
    assert result(stage).trials[0] == before[0]
    assert len(result(stage).trials) == 2
    stage.set(max_trials=1)
    stage.run()
    assert result(stage).trials == before
    assert len(found(stage)) == 2


def test_killed_ten_times_at_random_it_loses_and_repeats_nothing(undisturbed, stage):
    stage = stage(max_trials=3, max_epochs=40, patience=40)
    random.seed(3)
    for turn in range(10):
        begun = len(found(stage))
        process = stage.start()
        if turn % 2:  # these hit a trial on any machine; the others hit anything
            wait_for(lambda: len(found(stage)) > begun or process.poll() is not None)  # noqa: B023
        time.sleep(random.uniform(0, 3) if turn % 2 else random.uniform(1, 12))
        if process.poll() is None:
            kill_all(process)
    stage.run()
    content = result(stage)
    assert without_times(content.trials) == without_times(result(undisturbed).trials)
    everything = found(stage)
    completed = [a.trial for a in everything if a.status == "COMPLETED"]
    assert sorted(completed) == [0, 1, 2]  # none lost, none run twice
    assert len(everything) > 3, "no kill hit a trial"
    assert list(content.earlier) == [a for a in everything if a.status == "INTERRUPTED"]

    _, runs = mlflow_runs(stage)
    assert {run.info.status for run in runs.values()} == {"FINISHED", "KILLED"}
    trials = [run for run in runs.values() if run.data.tags["kind"] == "trial"]
    assert len(trials) == len(everything)
    for run in trials:
        if run.info.status == "KILLED":
            assert run.data.tags["trial_status"] == "INTERRUPTED"
            retry = runs[run.data.tags["retried_as"]]
            assert retry.data.tags["retry_of"] == run.info.run_id
            assert retry.data.params == run.data.params


def test_killed_with_features_half_computed_and_in_a_head_it_repeats_nothing(stage, tmp_path):
    """The same trials as without the kills, and each picture's features once."""
    from tests.search.conftest import Stage

    heads = {"blocks": ["edges"], "max_trials": 2, "max_epochs": 8, "patience": 8, "ensemble": 5}
    stage = stage(**heads)
    features = stage.path / ".cache/features/age"
    computing = lambda: any(file.stat().st_size for file in features.glob("*/features"))  # noqa: E731
    for begun in (computing, lambda: trains(stage), lambda: trains(stage, trial=1)):
        process = stage.start()
        wait_for(begun)
        assert process.poll() is None
        kill_all(process)
    stage.run()
    (tmp_path / "whole").mkdir()
    whole = Stage(tmp_path / "whole", **heads)
    whole.run()
    killed, expected = result(stage), result(whole)
    assert without_times(killed.trials) == without_times(expected.trials)
    assert (killed.members, killed.gain) == (expected.members, expected.gain)
    assert {0, 1} <= {each.trial for each in killed.earlier}
    assert {each.status for each in killed.earlier} == {"INTERRUPTED"}
    [hashes] = features.glob("*/hashes")
    assert len(set(np.fromfile(hashes, np.uint64))) == hashes.stat().st_size // 8


def test_a_killed_training_process_is_replaced(stage):
    stage = stage(max_trials=1, max_epochs=60, patience=60)
    process = stage.start()
    wait_for(lambda: trains(stage))
    [worker] = psutil.Process(process.pid).children()
    worker.kill()
    said = process.communicate(timeout=120)[1]
    assert process.returncode == 0
    assert "killed by SIGKILL" in said
    first, second = found(stage)
    assert (first.status, first.crashed) == ("INTERRUPTED", True)
    assert (second.status, second.batch_size) == ("COMPLETED", first.batch_size // 2)


def test_nothing_is_left_running_when_the_stage_is_killed(stage):
    stage = stage(max_epochs=500, patience=500)
    process = stage.start()
    wait_for(lambda: trains(stage))
    [worker] = psutil.Process(process.pid).children()
    process.kill()
    worker.wait(10)


def test_ctrl_c_ends_after_the_epoch_and_keeps_the_best(stage):
    stage = stage(max_trials=3, max_epochs=500, patience=500)
    process = stage.start()
    wait_for(lambda: trains(stage, epochs=3))
    os.killpg(process.pid, signal.SIGINT)  # a terminal tells the whole group
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    assert "goes on with this search" in said
    [trial] = result(stage).trials
    assert trial.status == "STOPPED"
    assert trial.score == min(epoch.val_loss for epoch in trial.epochs)
    assert (stage.path / "data/search/age/model.keras").exists()


def test_ctrl_c_twice_ends_at_once(stage):
    stage = stage(max_epochs=500, patience=500)
    process = stage.start()
    wait_for(lambda: trains(stage))
    [worker] = psutil.Process(process.pid).children()
    worker.suspend()  # an epoch that takes for ever
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == -signal.SIGINT and "Traceback" not in said
    assert not (stage.path / "data/search/age").exists()
    assert not worker.is_running()
    _, runs = mlflow_runs(stage)
    assert {run.info.status for run in runs.values()} == {"KILLED"}


def test_after_max_minutes_the_best_so_far_is_kept(stage):
    stage = stage(max_trials=50, max_epochs=20, patience=20, max_minutes=0.3)
    start = time.monotonic()
    said = stage.run()
    assert time.monotonic() - start < 60
    assert "max_minutes" in said
    assert 1 <= len(result(stage).trials) < 50


def test_a_process_that_grew_is_replaced(stage):
    """With every trial taken for a leak: a new process for each, and the same search."""
    stage = stage(max_trials=3)
    (stage.path / "sitecustomize.py").write_text(
        "import psutil\n"
        "sizes = iter(range(0, 1 << 50, 1 << 30))\n"
        "Info = type('Info', (), {})\n"
        "def grows(self):\n    info = Info()\n    info.rss = next(sizes)\n    return info\n"
        "psutil.Process.memory_info = grows\n"
    )
    stage.run(PYTHONPATH=f"{stage.path}{os.pathsep}{REPO}")
    assert [a.attempt for a in found(stage)] == [1, 1, 1]


def test_it_starts_from_the_files_of_data_weights_and_tells_why_others_are_not_tried(
    stage, imagenet_file
):
    stage = stage(blocks=["squeezenet", "efficient"], pretrained=True, max_epochs=1)
    folder, note = stage.path / "data/weights/age", "no ImageNet weights for efficient: why not"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(imagenet_file[0], folder / "squeezenet.h5")
    none = Weight(name="none", file=None, sha256=None, source="built in")
    files = {
        "squeezenet": Weight("squeezenet", "squeezenet.h5", "its sha256", "download"),
        "efficient": Weight("efficient", None, None, "", note),
    }
    WEIGHTS.write(folder, Weights(detector=none, segmenter=none, pretrained=files))
    said = stage.run(KERAS_HOME=str(stage.path / "empty"))
    assert said.count(note) == 1
    [trial] = result(stage).trials
    assert trial.hyperparameters["block_type"] == "squeezenet"
    assert trial.hyperparameters["pretrained"] is True
    assert result(stage).params["blocks"] == ["squeezenet"]


def silent_server():
    """An MLflow that takes a call and never answers."""
    server = socket.create_server(("127.0.0.1", 0))
    held = []

    def hold():
        while True:
            held.append(server.accept())

    threading.Thread(target=hold, daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["away", "silent"])
def test_without_mlflow_the_search_goes_on_and_mlflow_is_told_later(stage, monkeypatch, kind):
    stage = stage(max_trials=2)
    uri = {"away": "http://127.0.0.1:9", "silent": silent_server()}[kind]
    start = time.monotonic()
    said = stage.run(MLFLOW_TRACKING_URI=uri)
    assert "the next `dvc repro` sends the rest" in said
    assert time.monotonic() - start < 60
    content = result(stage)
    assert [trial.status for trial in content.trials] == ["COMPLETED"] * 2

    from stages.tracking.models import ensure_search

    (stage.path / "mlruns").mkdir(exist_ok=True)
    monkeypatch.chdir(stage.path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{stage.path}/mlruns/mlflow.db")
    client = store.connect()
    ensure_search(client, "age", stage.path / "data/search/age")
    _, runs = mlflow_runs(stage)
    assert sorted(run.data.tags["kind"] for run in runs.values()) == ["search", "trial", "trial"]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
