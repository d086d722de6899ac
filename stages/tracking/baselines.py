"""The baselines of a task as MLflow runs, from what its stage wrote: the files are the truth."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stages.records.baselines import BASELINES, Baseline
from stages.records.predictions import BASELINE_PREDICTIONS
from stages.tracking.store import experiment_id

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

BATCH = 1000  # metrics that MLflow accepts in one call


def ensure_baselines(client: "MlflowClient", task: str, folder: Path) -> None:
    """Let MLflow have a run of `task` for each baseline in `folder` (data/baseline/<task>).

    The tag `baseline_id` is a hash of the content that a run was made from. A baseline that was
    fitted anew gets a new run, and so does one whose run was cut short or deleted.
    """
    experiment = experiment_id(client, task)
    predictions = BASELINE_PREDICTIONS.frame(folder)
    for baseline in BASELINES.read(folder):
        answers = predictions[predictions["model"] == baseline.name]
        content = msgspec.json.encode(baseline) + answers.to_csv(index=False).encode()
        baseline_id = hashlib.sha256(content).hexdigest()[:16]
        query = f"tags.baseline_id = '{baseline_id}' and attributes.status != 'RUNNING'"
        if not client.search_runs([experiment], query, max_results=1):
            _log(client, experiment, task, baseline, answers, baseline_id)


def _log(
    client: "MlflowClient",
    experiment: str,
    task: str,
    baseline: Baseline,
    answers: "pd.DataFrame",
    baseline_id: str,
) -> None:
    from mlflow.entities import Metric, Param

    tags = {
        "kind": "baseline",
        "baseline": baseline.name,
        "baseline_kind": baseline.kind,
        "baseline_id": baseline_id,
        "weights": baseline.weights,
        "dvc_stage": f"baseline@{task}",
        "mlflow.source.name": f"python -m stages.baseline {task}",
        "mlflow.note.content": baseline.about,
    }
    if baseline.error:
        tags["error"] = baseline.error.strip().splitlines()[-1][:500]
    run = client.create_run(
        experiment, run_name=baseline.name, start_time=baseline.started_ms, tags=tags
    )
    ended = baseline.ended_ms
    curves = [
        Metric(name, float(value), epoch.time_ms, epoch.epoch)
        for epoch in baseline.epochs
        for name, value in epoch.metrics().items()
    ]
    totals = [Metric(name, value, ended, 0) for name, value in _totals(baseline, answers).items()]
    params = [Param(name, str(value)) for name, value in baseline.hyperparameters.items()]
    client.log_batch(run.info.run_id, metrics=totals, params=params)
    for start in range(0, len(curves), BATCH):
        client.log_batch(run.info.run_id, metrics=curves[start : start + BATCH])
    # Last, because a run that was cut short stays RUNNING, and is not mistaken for a whole one.
    status = "FAILED" if baseline.error else "FINISHED"
    client.set_terminated(run.info.run_id, status, end_time=ended)


def _totals(baseline: Baseline, answers: "pd.DataFrame") -> dict[str, float]:
    """Seconds, numbers of the network, accuracy and balanced accuracy of each part with photos."""
    totals = {"seconds": baseline.seconds}
    if baseline.parameters is not None:
        totals["parameters"] = float(baseline.parameters)
    for part, rows in answers.groupby("part"):
        hits = rows["label"] == rows["predicted"]
        totals[f"{part}_accuracy"] = float(hits.mean())
        totals[f"{part}_balanced_accuracy"] = float(hits.groupby(rows["label"]).mean().mean())
    return totals
