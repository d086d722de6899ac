"""A real MLflow store (SQLite) is filled from baselines.json and predictions.csv alone."""

import pytest
from msgspec.structs import replace

from stages.records.baselines import BASELINES, Baseline
from stages.records.predictions import BASELINE_PREDICTIONS, BaselinePrediction
from stages.records.trials import Epoch
from stages.tracking.baselines import ensure_baselines
from stages.tracking.store import connect, experiment_id

pytestmark = pytest.mark.slow  # a real MLflow


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return connect()


def record(name, **changes):
    epochs = (Epoch(epoch=e, time_ms=1000 + e, loss=1.0, val_loss=1 - e / 4) for e in range(2))
    baseline = Baseline(
        name=name,
        kind="network",
        about="a network",
        seconds=2.5,
        parameters=99,
        weights="from scratch",
        hyperparameters={"batch_size": 32},
        epochs=tuple(epochs),
        started_ms=1000,
        ended_ms=3500,
        error=None,
    )
    return replace(baseline, **changes)


def answer(id, label, predicted, warm):
    return BaselinePrediction(
        model="cnn",
        id=id,
        part="test",
        label=label,
        predicted=predicted,
        probabilities={"cool": 1 - warm, "warm": warm},
    )


def write(folder, records):
    BASELINES.write(folder, records)
    rows = [answer("1", "cool", "cool", 0.2), answer("2", "cool", "cool", 0.2)]
    rows += [answer("3", "cool", "warm", 0.9), answer("4", "warm", "warm", 0.9)]
    BASELINE_PREDICTIONS.write(folder, rows)
    return folder


def runs(store):
    found = store.search_runs([experiment_id(store, "tone")], "tags.kind = 'baseline'")
    return sorted(found, key=lambda run: run.data.tags["baseline"])


def test_a_run_for_each_content(store, tmp_path):
    failed = record("vgg", error="Traceback\nMemoryError: no room", epochs=(), parameters=None)
    folder = write(tmp_path / "baseline", [record("cnn"), failed])
    ensure_baselines(store, "tone", folder)
    cnn, vgg = runs(store)
    assert cnn.info.status == "FINISHED"
    assert cnn.data.tags["weights"] == "from scratch"
    assert cnn.data.params == {"batch_size": "32"}
    assert cnn.data.metrics["test_accuracy"] == 0.75
    assert cnn.data.metrics["test_balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert (cnn.data.metrics["seconds"], cnn.data.metrics["parameters"]) == (2.5, 99)
    curve = store.get_metric_history(cnn.info.run_id, "val_loss")
    assert [(point.step, point.value) for point in curve] == [(0, 1.0), (1, 0.75)]
    assert (vgg.info.status, vgg.data.tags["error"]) == ("FAILED", "MemoryError: no room")
    assert "test_accuracy" not in vgg.data.metrics

    ensure_baselines(store, "tone", folder)
    assert len(runs(store)) == 2  # saying it again changes nothing
    ensure_baselines(store, "tone", write(folder, [record("cnn", seconds=9.0), failed]))
    assert [run.data.tags["baseline"] for run in runs(store)] == ["cnn", "cnn", "vgg"]
    store.delete_run(vgg.info.run_id)  # in the UI; the files have it still
    ensure_baselines(store, "tone", folder)
    assert len(runs(store)) == 3
