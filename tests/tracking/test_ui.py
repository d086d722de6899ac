import json

import pytest

from stages.tracking import ui
from stages.tracking.store import connect, experiment_id
from tests.params_yaml import shipped, write_params

pytestmark = pytest.mark.slow  # a real MLflow


def test_each_task_has_a_link_to_its_runs_with_their_figures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    write_params(shipped(), tmp_path)
    client = connect()
    assert ui.links(client) == ["MLflow has no runs yet: run `dvc repro` first"]
    ids = {task: experiment_id(client, task) for task in ("harry", "tone")}
    lines = ui.links(client)
    assert [line.partition(":")[0] for line in lines] == ["Personal colour", "Sorting Hat"]
    for line, task in zip(lines, ("tone", "harry"), strict=True):
        assert f"http://127.0.0.1:5000/#/experiments/{ids[task]}/runs?" in line
        tags = client.get_experiment(ids[task]).tags
        shown = json.loads(tags["mlflow.sharedViewState.figures"])["selectedColumns"]
        assert "viewStateShareKey=figures" in line and "metrics.`trial_score`" in shown
