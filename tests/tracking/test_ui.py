import json
import os
import signal
import subprocess
import sys
import time

import pytest

from stages.tracking import ui
from stages.tracking.store import connect, experiment_id
from tests.app.serving import answers, free_port
from tests.conftest import REPO
from tests.network_guard import guarded, lookups
from tests.params_yaml import shipped, write_params

pytestmark = pytest.mark.slow  # a real MLflow


UI = "from stages.tracking import ui; ui.PORT = {port}; ui.main()"


def test_it_calls_nobody(tmp_path):
    write_params(shipped(), tmp_path)
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    server = subprocess.Popen(
        [sys.executable, "-c", UI.format(port=port)],
        cwd=tmp_path,
        env=guarded(environment | {"PYTHONPATH": str(REPO)}, tmp_path / "network"),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert answers(f"http://127.0.0.1:{port}/", server)
        time.sleep(1)  # MLflow reports from a thread
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)
    assert lookups(tmp_path / "network") == []


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
