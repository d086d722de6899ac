"""python -m stages.tracking.ui: MLflow's pages on http://127.0.0.1:5000, and a link to each task.

MLflow's own start page is about assistants; ours lie deeper. It shows a run's figures only after
some clicks, unless a link names a view that somebody has shared: ours has the columns that compare
trials and baselines.
"""

import json
import logging
import os
import sys
from typing import TYPE_CHECKING

from stages.common.door import enter
from stages.params.merge import load
from stages.tracking.register import check_answers
from stages.tracking.store import DEFAULT_URI, connect

if TYPE_CHECKING:
    from mlflow import MlflowClient

HOST, PORT = "127.0.0.1", 5000
VIEW = "figures"
COLUMNS = (
    *("test_balanced_accuracy", "wild_balanced_accuracy", "val_balanced_accuracy"),
    *("trial_score", "val_accuracy", "trial_seconds", "parameters"),
)

log = logging.getLogger(__name__)


def main() -> None:
    client = connect()
    check_answers(client)
    for line in links(client):
        log.info(line)
    uri = os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI)
    sys.stderr.flush()
    command = ["-m", "mlflow", "ui", "--host", HOST, "--port", str(PORT)]
    os.execv(sys.executable, [sys.executable, *command, "--backend-store-uri", uri])


def links(client: "MlflowClient") -> list[str]:
    """A line for each task that MLflow knows: its name, and the address of its training runs."""
    found = []
    state = {"selectedColumns": [f"metrics.`{name}`" for name in COLUMNS]}
    for name, task in load().tasks.items():
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            continue
        id = experiment.experiment_id
        client.set_experiment_tag(id, f"mlflow.sharedViewState.{VIEW}", json.dumps(state))
        view = f"workflowType=machine_learning&compareRunsMode=TABLE&viewStateShareKey={VIEW}"
        found.append(f"{task.title}: http://{HOST}:{PORT}/#/experiments/{id}/runs?{view}")
    return found or ["MLflow has no runs yet: run `dvc repro` first"]


if __name__ == "__main__":
    enter(main)
