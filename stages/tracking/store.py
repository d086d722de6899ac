"""The MLflow tracking store: `sqlite:///mlruns/mlflow.db` with artifacts beside it.

`MLFLOW_TRACKING_URI` names another one. Each task has one experiment.
"""

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.files import new_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = Path("mlruns/mlflow.db")
DEFAULT_URI = f"sqlite:///{DATABASE}"
ARTIFACTS = Path("mlruns/artifacts")
# MLflow reads these when it is imported.
ENVIRONMENT = {
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_DISABLE_TELEMETRY": "true",  # nothing leaves the machine
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # no line for each table that it creates
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",  # seconds; MLflow's own are 120,
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # and 7 retries
}


def connect() -> "MlflowClient":
    """A client of the tracking store. The local one is created when it is missing."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow

    uri = os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI)
    if uri == DEFAULT_URI and not DATABASE.exists():
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        # MLflow cannot open a database whose creation was killed between two tables.
        for half in DATABASE.parent.glob(f".{DATABASE.name}.part*"):
            half.unlink()
        with new_file(DATABASE) as part:
            mlflow.MlflowClient(f"sqlite:///{part}").search_experiments()
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient()


def experiment_id(client: "MlflowClient", task: str) -> str:
    """The task's experiment, created at first use."""
    found = client.get_experiment_by_name(task)
    if found:
        return found.experiment_id
    local = os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI) == DEFAULT_URI
    place = (ARTIFACTS / task).resolve().as_uri() if local else None
    return client.create_experiment(task, artifact_location=place)


def git_commit() -> str:
    """The commit that is checked out, or "" outside a git checkout."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
