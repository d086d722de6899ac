"""Numbers instead of classes: the same search, whose network says the number in its own unit."""

import subprocess
import sys

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.networks.predict import outputs
from stages.records import attempts
from stages.records.folders import Folders
from stages.records.params import read
from stages.records.trials import TRIALS
from stages.search.data import refuse_unlearnable
from stages.search.fingerprint import fingerprint
from stages.search.search import search
from tests.search.conftest import plan, regression, without_times
from tests.search.test_stage import found, kill_all, mlflow_runs, trains, wait_for


@pytest.fixture(scope="module")
def two(parts, tmp_path_factory):
    """A search of two trials and its scratch folder."""
    scratch = tmp_path_factory.mktemp("regression") / "two"
    return search(regression(parts, 3, max_trials=2, max_epochs=8), scratch), scratch


def test_the_network_says_the_number_in_its_own_unit(two, parts):
    result, _ = two
    _, val = parts[3]
    said = outputs(result.model, val).raw
    assert said.shape == (len(val), 1) and said.dtype == np.float32
    winner = result.best
    row = winner.epochs[winner.best_epoch]
    assert np.abs(said[:, 0] - val.values).mean() == pytest.approx(row.val_mae, rel=1e-3)
    assert winner.score == row.val_loss == min(t.score for t in result.trials)
    assert row.val_mae < 5 < np.abs(val.values.mean() - val.values).mean()
    assert row.accuracy is None and row.val_accuracy is None
    assert winner.hyperparameters["reduction_type"] == "global_max"  # the same first trials
    assert winner.hyperparameters["head_dropout"] == 0.25


def test_more_trials_go_on_where_the_search_stood(two, parts, tmp_path):
    for max_trials in (1, 2):
        wanted = regression(parts, 3, max_trials=max_trials, max_epochs=8)
        stepped = search(wanted, tmp_path / "steps")
    assert without_times(stepped.trials) == without_times(two[0].trials)
    assert [a.attempt for a in attempts.read(tmp_path / "steps")] == [1, 1]


def test_a_final_fit_learns_the_numbers_too_and_loads_without_autokeras(two, parts, tmp_path):
    _, scratch = two
    _, val = parts[3]
    result = search(regression(parts, 3, max_trials=2, max_epochs=8, final_fit=True), scratch)
    model, record = result.model, result.final_fits[0]
    assert record.status == "COMPLETED" and record.epochs[-1].mae > 0
    code = (
        "import sys, numpy as np, keras\n"
        "model = keras.saving.load_model(sys.argv[1], compile=False)\n"
        "assert 'autokeras' not in sys.modules\n"
        "print(*model.predict_on_batch(np.load(sys.argv[2]))[:, 0])"
    )
    np.save(tmp_path / "some.npy", val.read(np.arange(10)))
    [kept] = (scratch / "final_fits").glob("*.keras")
    command = [sys.executable, "-c", code, kept, tmp_path / "some.npy"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    np.testing.assert_allclose(
        np.array(out.split()[-10:], float), outputs(model, val).raw[:10, 0], rtol=1e-3
    )
    assert np.abs(outputs(model, val).raw[:, 0] - val.values).mean() < 5


def test_kinds_have_searches_of_their_own(parts):
    assert fingerprint(regression(parts, 3), "data") != fingerprint(plan(parts, 3), "data")


def test_numbers_that_are_all_the_same_are_an_error(parts, monkeypatch):
    train, _ = parts[2]
    monkeypatch.setattr(train, "values", np.full_like(train.values, 33))
    with pytest.raises(UserError, match="all photos have the value 33"):
        regression(parts, 2)


def test_photos_without_a_number_are_counted(stage):
    stage = stage(kind="regression")
    at = Folders("age", stage.path)
    params = read("age", stage.path)
    refuse_unlearnable(params, at)  # all have one
    (at.shards / "val/values.npy").unlink()
    at.splits.mkdir(parents=True)
    splits = "id,part,value\na,train,3\nb,val,\nc,val,\nd,test,\n"
    (at.splits / "splits.csv").write_text(splits)
    with pytest.raises(UserError, match=r"3 of 4 photos have none(?s:.*)kind to classification"):
        refuse_unlearnable(params, at)


def test_killed_the_stage_goes_on_and_mlflow_has_the_error_in_years(stage):
    stage = stage(kind="regression", max_trials=2, max_epochs=20)
    process = stage.start()
    wait_for(lambda: trains(stage))
    kill_all(process)
    said = stage.run()
    assert "val_mae" in said and "accuracy" not in said
    content = TRIALS.read(stage.path / "data/search/age")
    assert content.kind == "regression"
    assert [trial.status for trial in content.trials] == ["COMPLETED"] * 2
    assert "INTERRUPTED" in {a.status for a in found(stage)}
    client, runs = mlflow_runs(stage)
    curves = [
        [point.value for point in client.get_metric_history(run.info.run_id, "val_mae")]
        for run in runs.values()
    ]
    assert [row.val_mae for row in content.trials[0].epochs] in curves
