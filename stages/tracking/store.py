"""The MLflow tracking store: `sqlite:///mlruns/mlflow.db` with artifacts beside it, or
`MLFLOW_TRACKING_URI`. One experiment a task."""

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


def connect() -> "MlflowClient":
    """A client of the tracking store, which is made if it is the local one and not there yet."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves the machine
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # not each table it creates
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")  # seconds; MLflow's own: 120,
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # seven times
    import mlflow

    uri = os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI)
    if uri == DEFAULT_URI and not DATABASE.exists():
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
        # Killed between its tables, MLflow cannot open a database again: half of one is of no use.
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
    """The commit this code stands at, or "" outside a git checkout."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
