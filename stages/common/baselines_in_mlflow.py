"""The baselines of a task as MLflow runs, from what its stage wrote: the files are the truth."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.common.tables import read_table
from stages.tracking.store import experiment_id

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

BATCH = 1000  # metrics that MLflow takes in one call


def ensure_baselines(client: "MlflowClient", task: str, folder: Path) -> None:
    """Let MLflow have a run of `task` for each baseline in `folder` (data/baseline/<task>).

    A run belongs to one content (tag `baseline_id`): what is there already stays, a baseline that
    was trained anew gets a new run, and so does one whose run was cut short or deleted.
    """
    experiment = experiment_id(client, task)
    predictions = read_table(folder / "predictions.csv")
    for baseline in json.loads((folder / "baselines.json").read_text(encoding="utf-8")):
        answers = predictions[predictions.model == baseline["name"]]
        content = json.dumps(baseline, sort_keys=True) + answers.to_csv(index=False)
        baseline_id = hashlib.sha256(content.encode()).hexdigest()[:16]
        query = f"tags.baseline_id = '{baseline_id}' and attributes.status != 'RUNNING'"
        if not client.search_runs([experiment], query, max_results=1):
            _log(client, experiment, task, baseline, answers, baseline_id)


def _log(
    client: "MlflowClient", experiment: str, task: str, baseline: dict[str, Any],
    answers: "pd.DataFrame", baseline_id: str,
) -> None:  # fmt: skip
    from mlflow.entities import Metric, Param

    tags = {
        "kind": "baseline",
        "baseline": baseline["name"],
        "baseline_kind": baseline["kind"],
        "baseline_id": baseline_id,
        "weights": baseline["weights"],
        "dvc_stage": f"baseline@{task}",
        "mlflow.source.name": f"python -m stages.baseline {task}",
        "mlflow.note.content": baseline["about"],
    }
    if baseline["error"]:
        tags["error"] = baseline["error"].strip().splitlines()[-1][:500]
    run = client.create_run(
        experiment, run_name=baseline["name"], start_time=baseline["started_ms"], tags=tags
    )
    ended = baseline["ended_ms"]
    curves = [
        Metric(name, float(value), row.get("time_ms", ended), row["epoch"])
        for row in baseline["epochs"]
        for name, value in row.items()
        if name not in ("epoch", "time_ms")
    ]
    totals = [Metric(name, value, ended, 0) for name, value in _totals(baseline, answers).items()]
    params = [Param(name, str(value)) for name, value in baseline["hyperparameters"].items()]
    client.log_batch(run.info.run_id, metrics=totals, params=params)
    for start in range(0, len(curves), BATCH):
        client.log_batch(run.info.run_id, metrics=curves[start : start + BATCH])
    # Last: a run that was cut short before stays RUNNING, and is not taken for whole.
    status = "FAILED" if baseline["error"] else "FINISHED"
    client.set_terminated(run.info.run_id, status, end_time=ended)


def _totals(baseline: dict[str, Any], answers: "pd.DataFrame") -> dict[str, float]:
    """Seconds, numbers of the network, accuracy and balanced accuracy of each part with photos."""
    totals = {"seconds": float(baseline["seconds"])}
    if baseline["parameters"] is not None:
        totals["parameters"] = float(baseline["parameters"])
    for part, rows in answers.groupby("part"):
        hits = rows.label == rows.predicted
        totals[f"{part}_accuracy"] = float(hits.mean())
        totals[f"{part}_balanced_accuracy"] = float(hits.groupby(rows.label).mean().mean())
    return totals
