"""MLflow as the view of what the stages did: one experiment a task, trials nested under a search.

DVC's outputs are the truth. What is logged live while a search trains and what is logged again
from `trials.json` on a machine that only pulled the outputs goes through the same functions here.

The store is `sqlite:///mlruns/mlflow.db` with artifacts beside it, or `MLFLOW_TRACKING_URI`.
"""

import os
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

DEFAULT_URI = "sqlite:///mlruns/mlflow.db"
ARTIFACTS = Path("mlruns/artifacts")


def connect() -> "MlflowClient":
    """A client of the tracking store, which is made if it is the local one and not there yet."""
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves the machine
    import mlflow

    uri = os.environ.get("MLFLOW_TRACKING_URI", DEFAULT_URI)
    if uri == DEFAULT_URI:
        ARTIFACTS.mkdir(parents=True, exist_ok=True)
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


def find_search(client: "MlflowClient", task: str, search_id: str) -> "Run | None":
    """The parent run of a search, by the fingerprint of what it searched."""
    runs = client.search_runs(
        [experiment_id(client, task)], f"tags.search_id = '{search_id}'", max_results=1
    )
    return runs[0] if runs else None


def start_search(
    client: "MlflowClient",
    task: str,
    search_id: str,
    params: dict[str, Any],
    tags: dict[str, str],
    start_ms: int | None = None,
) -> str:
    """Open (or reopen) the parent run of a search and return its run id."""
    run = find_search(client, task, search_id)
    if run:
        client.update_run(run.info.run_id, status="RUNNING")
        return run.info.run_id
    tags = {"kind": "search", "search_id": search_id, "dvc_stage": f"search@{task}"} | tags
    tags |= {"mlflow.source.name": f"python -m stages.search {task}"}
    run = client.create_run(
        experiment_id(client, task), run_name=f"search-{task}", tags=tags, start_time=start_ms
    )
    _log(client, run.info.run_id, params=params)
    return run.info.run_id


def start_trial(client: "MlflowClient", parent: str, trial: dict[str, Any]) -> str:
    """Open a nested run for `trial` (a row of trials.json) and return its run id."""
    run = client.create_run(
        client.get_run(parent).info.experiment_id,
        run_name=f"trial-{trial['trial'] + 1}",
        start_time=trial["started_ms"],
        tags={"kind": "trial", "mlflow.parentRunId": parent, "trial": str(trial["trial"] + 1)},
    )
    _log(client, run.info.run_id, params=trial["hyperparameters"])
    return run.info.run_id


def log_epoch(client: "MlflowClient", run_id: str, epoch: dict[str, float]) -> None:
    """Log one epoch's metrics, `epoch["epoch"]` being the step."""
    metrics = {name: value for name, value in epoch.items() if name not in ("epoch", "time_ms")}
    _log(client, run_id, metrics=metrics, step=int(epoch["epoch"]), time_ms=int(epoch["time_ms"]))


def end_trial(client: "MlflowClient", run_id: str, trial: dict[str, Any]) -> None:
    """Close the nested run with the trial's summary, its status and, if it failed, why."""
    summary = {key: trial[key] for key in ("score", "seconds", "parameters", "best_epoch")}
    _log(client, run_id, metrics={k: v for k, v in summary.items() if v is not None})
    client.set_tag(run_id, "trial_status", trial["status"])
    if trial["error"]:
        client.set_tag(run_id, "error", trial["error"].strip().splitlines()[-1][:500])
        client.log_text(run_id, trial["error"], "error.txt")
    status = {"COMPLETED": "FINISHED", "INTERRUPTED": "KILLED"}.get(trial["status"], "FAILED")
    client.set_terminated(run_id, status, end_time=trial["ended_ms"])


def close_interrupted(client: "MlflowClient", parent: str) -> None:
    """Mark the trials that a killed search left RUNNING as KILLED."""
    experiment = client.get_run(parent).info.experiment_id
    query = f"tags.`mlflow.parentRunId` = '{parent}' and attributes.status = 'RUNNING'"
    for run in client.search_runs([experiment], query):
        client.set_tag(run.info.run_id, "trial_status", "INTERRUPTED")
        client.set_terminated(run.info.run_id, "KILLED")


def git_commit() -> str:
    """The commit this code stands at, or "" outside a git checkout."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _log(
    client: "MlflowClient",
    run_id: str,
    params: dict[str, Any] | None = None,
    metrics: dict[str, float] | None = None,
    step: int = 0,
    time_ms: int | None = None,
) -> None:
    from mlflow.entities import Metric, Param

    time_ms = time_ms or int(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(key, float(v), time_ms, step) for key, v in (metrics or {}).items()],
        params=[Param(key, str(v)) for key, v in (params or {}).items()],
    )
