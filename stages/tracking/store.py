"""The MLflow tracking store: `sqlite:///mlruns/mlflow.db` with artifacts beside it.

`MLFLOW_TRACKING_URI` names another one. Each task has one experiment.
"""

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from stages.common.files import alone, new_file

if TYPE_CHECKING:
    from mlflow import MlflowClient

DATABASE = Path("mlruns/mlflow.db")
DEFAULT_URI = f"sqlite:///{DATABASE}"
ARTIFACTS = Path("mlruns/artifacts")
PLACES = (  # where MLflow's database names folders
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
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
    if is_local():
        with alone(DATABASE):
            if DATABASE.exists():
                _follow_a_move()
            else:
                _create(mlflow.MlflowClient)
    mlflow.set_tracking_uri(uri)
    return mlflow.MlflowClient()


def is_local() -> bool:
    """Whether MLflow's store is the checkout's own."""
    return os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI) == DEFAULT_URI


def _create(client: "type[MlflowClient]") -> None:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    # MLflow cannot open a database whose creation was killed between two tables.
    for half in DATABASE.parent.glob(f".{DATABASE.name}.part*"):
        half.unlink()
    with new_file(DATABASE) as part:
        client(f"sqlite:///{part}").search_experiments()


def _follow_a_move() -> None:
    """Correct the places of all artifacts after the checkout was moved or copied.

    MLflow keeps whole paths. It would read from the old place, and write to it.
    """
    now = ARTIFACTS.resolve().as_uri()
    with closing(sqlite3.connect(DATABASE)) as store, store:
        places = store.execute("select name, artifact_location from experiments").fetchall()
        before = {
            place.removesuffix(f"/{quote(name)}")
            for name, place in places
            if place.endswith(f"/{ARTIFACTS.as_posix()}/{quote(name)}")
        }
        for old in before - {now}:
            for table, column in PLACES:
                store.execute(
                    f"update {table} set {column} = ? || substr({column}, ?) "
                    f"where substr({column}, 1, ?) = ?",
                    (now, len(old) + 1, len(old) + 1, f"{old}/"),
                )


def experiment_id(client: "MlflowClient", task: str) -> str:
    """The task's experiment, created at first use."""
    found = client.get_experiment_by_name(task)
    if found:
        return found.experiment_id
    place = (ARTIFACTS / task).resolve().as_uri() if is_local() else None
    return client.create_experiment(task, artifact_location=place)


def git_commit() -> str:
    """The commit that is checked out, or "" outside a git checkout."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()
