"""A real MLflow store (SQLite) is filled from files alone."""

import json
import shutil

import numpy as np
import pytest


@pytest.fixture
def store(tmp_path, monkeypatch):
    from stages.common import tracking

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tracking.connect()


def trial(number, status="COMPLETED", score=0.5):
    return {
        "trial": number, "attempt": 1, "status": status, "hyperparameters": {"filters": "16-32"},
        "score": score, "best_epoch": 1, "seconds": 2.5, "parameters": 1234,
        "batch_size": 32, "memory_mb": 900.0,
        "epochs": [{"epoch": e, "time_ms": 1000 + e, "val_loss": 1.0 - e / 4} for e in range(2)],
        "error": "" if status == "COMPLETED" else "Traceback ...\nValueError: too large",
        "started_ms": 1000, "ended_ms": 3500,
    }  # fmt: skip


def model_folder(folder, bias, search_id):
    import keras

    folder.mkdir(parents=True)
    layers = [keras.Input((8, 8, 3), dtype="uint8"), keras.layers.Rescaling(1 / 255)]
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Sequential([*layers, keras.layers.Flatten(), dense])
    dense.set_weights([np.zeros((192, 2)), np.array([bias, 0.0])])
    model.save(folder / "model.keras")
    trials = {
        "search_id": search_id, "objective": "val_loss", "best": 0, "params": {"seed": 1},
        "data": [], "earlier": [], "final_fit": None,
        "trials": [trial(0), trial(1, "FAILED", None)],
    }  # fmt: skip
    (folder / "trials.json").write_text(json.dumps(trials))
    (folder / "classes.json").write_text(json.dumps({"cool": "쿨톤", "warm": "웜톤"}))
    (folder / "metrics.json").write_text(json.dumps({"test": {"accuracy": 0.75, "n": 8}}))
    return folder


def test_the_registry_follows_the_files(store, tmp_path):
    import mlflow

    from stages.promote.register import ensure_registered

    first = model_folder(tmp_path / "promote/first", 1.0, "aaaa")
    ensure_registered(store, "tone", "champion", first)
    champion = store.get_model_version_by_alias("face-tone", "champion")
    parent = store.get_run(champion.run_id)
    assert parent.data.tags["search_id"] == "aaaa"
    assert parent.data.metrics["test_accuracy"] == 0.75
    children = store.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    statuses = {run.data.tags["trial"]: run.info.status for run in children}
    assert statuses == {"1": "FINISHED", "2": "FAILED"}
    finished = next(run for run in children if run.data.tags["trial"] == "1")
    curve = store.get_metric_history(finished.info.run_id, "val_loss")
    assert [(point.step, point.value) for point in curve] == [(0, 1.0), (1, 0.75)]

    # What is registered loads through pyfunc and answers with the file's own probabilities.
    served = mlflow.pyfunc.load_model("models:/face-tone@champion")
    probabilities = served.predict(np.zeros((1, 8, 8, 3), np.uint8))
    np.testing.assert_allclose(probabilities, [[np.e / (np.e + 1), 1 / (np.e + 1)]], rtol=1e-5)
    assert served.metadata.metadata["titles"] == ["쿨톤", "웜톤"]

    # Saying it again changes nothing.
    ensure_registered(store, "tone", "champion", first)
    assert len(store.search_model_versions("name = 'face-tone'")) == 1

    # A challenger comes, and goes when the files no longer have one.
    second = model_folder(tmp_path / "promote/second", 2.0, "bbbb")
    ensure_registered(store, "tone", "challenger", second)
    assert store.get_model_version_by_alias("face-tone", "challenger").version == 2
    assert store.get_model_version_by_alias("face-tone", "champion").version == 1
    ensure_registered(store, "tone", "champion", second)
    ensure_registered(store, "tone", "challenger", tmp_path / "promote/none")
    aliases = store.get_registered_model("face-tone").aliases
    assert {role: int(version) for role, version in aliases.items()} == {"champion": 2}

    # A run deleted in the UI is put back from the files.
    store.delete_run(store.get_model_version_by_alias("face-tone", "champion").run_id)
    ensure_registered(store, "tone", "champion", second)
    champion = store.get_model_version_by_alias("face-tone", "champion")
    assert store.get_run(champion.run_id).info.lifecycle_stage == "active"
    shutil.rmtree(tmp_path / "promote")


def test_without_mlflow_it_says_so_and_that_nothing_is_lost(tmp_path, monkeypatch):
    from stages.common import tracking
    from stages.common.errors import UserError
    from stages.promote.register import check_answers

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match="MLflow does not answer(?s:.*)Nothing is lost"):
        check_answers(tracking.connect())
