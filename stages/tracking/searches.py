"""MLflow as the view of what the stages did: one experiment a task, trials nested under a search.

The files are the truth. `MirroredSearch` makes MLflow say what they say, while a search trains and
later, from `trials.json`, where MLflow was away or on a machine that only pulled the outputs.
"""

import hashlib
import json
import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.tracking.store import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

MUTABLE = ("max_trials", "max_minutes", "workers", "final_fit")  # between two runs of one search


def find_search(client: "MlflowClient", task: str, search_id: str) -> "Run | None":
    """The parent run of a search, by the fingerprint of what it searched."""
    runs = client.search_runs(
        [experiment_id(client, task)], f"tags.search_id = '{search_id}'", max_results=1
    )
    return runs[0] if runs else None


class MirroredSearch:
    """A search in MLflow: a run for it and, nested in it, one for each attempt at a trial.

    `send` takes what the files say, again and again, and sends what MLflow lacks.
    `search` has `search_id`, `objective`, `params` and `data` as in trials.json.
    """

    def __init__(self, client: "MlflowClient", task: str, search: dict[str, Any]) -> None:
        self.client, self.task, self.search = client, task, search
        self.experiment = experiment_id(client, task)
        found = find_search(client, task, search["search_id"])
        self.parent = found.info.run_id if found else self._create()
        self.children: dict[tuple[str, str], str] = {}  # (trial, attempt) -> run id
        self.closed: set[tuple[str, str]] = set()
        self.epochs: dict[tuple[str, str], int] = {}  # sent so far
        self.ended = 0  # trials that the leaderboard has
        self.place = ""  # this machine and folder, once the search is open here
        for run in self._runs(f"tags.`mlflow.parentRunId` = '{self.parent}'"):
            key = run.data.tags["trial"], run.data.tags["attempt"]
            self.children[key] = run.info.run_id
            if run.info.status != "RUNNING":
                self.closed.add(key)

    def open(self, git_commit: str) -> None:
        """Say that the search is under way here, and that those left behind here are not."""
        here = hashlib.sha256(f"{platform.node()} {Path.cwd()}".encode()).hexdigest()[:16]
        for run in self._runs(f"tags.place = '{here}' and attributes.status = 'RUNNING'"):
            if self.parent not in (run.info.run_id, run.data.tags.get("mlflow.parentRunId")):
                self.client.set_tag(run.info.run_id, "trial_status", "INTERRUPTED")
                self.client.set_terminated(run.info.run_id, "KILLED")
        self.place = here
        self._tag(self.parent, {"place": here, "git_commit": git_commit})
        self.client.update_run(self.parent, status="RUNNING")

    def send(self, attempts: list[dict[str, Any]], final_fit: dict[str, Any] | None = None) -> None:
        """Send what is new in `attempts` (rows of trials.json, earlier attempts at a trial first)
        and in the record of the final fit."""
        for attempt in attempts:
            self._send(attempt, (str(attempt["trial"] + 1), str(attempt["attempt"])))
        if final_fit:
            self._send(final_fit, ("final fit", str(final_fit["trial"] + 1)))
        ended = [a for a in attempts if a["status"] in ("COMPLETED", "FAILED")]
        if len(ended) != self.ended:
            self._send_progress(ended)
            self.ended = len(ended)

    def close(self, status: str, end_ms: int, attempts: int, files: dict[str, str]) -> None:
        """End the parent run; `attempts`: how many there are; `files`: name -> text."""
        for name, text in files.items():
            self.client.log_text(self.parent, text, name)
        self._tag(self.parent, {"attempts": str(attempts)})
        self.client.set_terminated(self.parent, status, end_time=end_ms)

    def _create(self) -> str:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        search = self.search
        tags = {
            "kind": "search",
            "search_id": search["search_id"],
            "dvc_stage": f"search@{self.task}",
            "mlflow.source.name": f"python -m stages.search {self.task}",
        }
        name = f"search-{self.task}"
        run_id = self.client.create_run(self.experiment, run_name=name, tags=tags).info.run_id
        params = {k: v for k, v in search["params"].items() if k not in MUTABLE}
        self._log(run_id, params=params)
        data = [
            DatasetInput(
                Dataset(
                    name=each["path"], digest=each["md5"], source_type="dvc", source=each["path"],
                    profile=json.dumps({"num_rows": each["rows"]}),
                ),
                [InputTag("mlflow.data.context", each["context"])],
            )
            for each in search["data"]
        ]  # fmt: skip
        self.client.log_inputs(run_id, data)
        return run_id

    def _send(self, attempt: dict[str, Any], key: tuple[str, str]) -> None:
        if key in self.closed:
            return
        if key not in self.children:
            self.children[key] = self._create_child(attempt, key)
        run_id = self.children[key]
        rows = attempt["epochs"][self.epochs.get(key, 0) :]
        for row in rows:
            metrics = {k: v for k, v in row.items() if k not in ("epoch", "time_ms")}
            self._log(run_id, metrics=metrics, step=row["epoch"], time_ms=row["time_ms"])
        self.epochs[key] = len(attempt["epochs"])
        if attempt["status"] == "RUNNING":
            return
        names = ("score", "seconds", "parameters", "best_epoch", "batch_size")
        totals = {f"trial_{k}": attempt[k] for k in names if attempt[k] is not None}
        totals |= {"trial_memory_mb": attempt["memory_mb"]} if attempt["memory_mb"] else {}
        self._log(run_id, metrics=totals, time_ms=attempt["ended_ms"])
        self._tag(run_id, {"trial_status": attempt["status"]})
        if attempt["error"]:
            self._tag(run_id, {"error": attempt["error"].strip().splitlines()[-1][:500]})
            self.client.log_text(run_id, attempt["error"], "error.txt")
        statuses = {"COMPLETED": "FINISHED", "FAILED": "FAILED"}
        status = statuses.get(attempt["status"], "KILLED")
        self.client.set_terminated(run_id, status, end_time=attempt["ended_ms"])
        self.closed.add(key)

    def _create_child(self, attempt: dict[str, Any], key: tuple[str, str]) -> str:
        trial, number = key
        name = f"trial-{trial}" if trial.isdigit() else f"final-fit-of-trial-{number}"
        tags = {
            "kind": "trial" if trial.isdigit() else "final_fit",
            "mlflow.parentRunId": self.parent,
            "trial": trial,
            "attempt": number,
        }
        earlier = self.children.get((trial, str(attempt["attempt"] - 1)))
        if earlier:
            name, tags = f"{name}-again", tags | {"retry_of": earlier}
        if self.place:
            tags["place"] = self.place
        run = self.client.create_run(
            self.experiment, run_name=name, start_time=attempt["started_ms"], tags=tags
        )
        self._log(run.info.run_id, params=attempt["hyperparameters"])
        if earlier:
            self._tag(earlier, {"retried_as": run.info.run_id})
        return run.info.run_id

    def _send_progress(self, ended: list[dict[str, Any]]) -> None:
        """The best score so far, as a curve over the trials, and the leaderboard, as a table."""
        objective = self.search["objective"]
        pick = max if objective == "val_accuracy" else min
        best = None
        for attempt in sorted(ended, key=lambda a: a["ended_ms"]):
            if attempt["score"] is not None:
                best = attempt["score"] if best is None else pick(best, attempt["score"])
                at = {"step": attempt["trial"] + 1, "time_ms": attempt["ended_ms"]}
                self._log(self.parent, metrics={f"best_{objective}": best}, **at)
        table = leaderboard(ended, objective)
        self.client.log_dict(self.parent, table, "leaderboard.json")
        shown = json.dumps([{"path": "leaderboard.json", "type": "table"}])
        self._tag(self.parent, {"mlflow.loggedArtifacts": shown})

    def _runs(self, query: str) -> list["Run"]:
        return list(self.client.search_runs([self.experiment], query, max_results=5000))

    def _tag(self, run_id: str, tags: dict[str, str]) -> None:
        for name, value in tags.items():
            self.client.set_tag(run_id, name, value)

    def _log(
        self, run_id: str, params: dict[str, Any] | None = None,
        metrics: dict[str, float] | None = None, step: int = 0, time_ms: int | None = None,
    ) -> None:  # fmt: skip
        """Params and metrics in one call. What MLflow has already, with the same time, it keeps."""
        from mlflow.entities import Metric, Param

        time_ms = time_ms or int(time.time() * 1000)
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, float(v), time_ms, step) for key, v in (metrics or {}).items()],
            params=[Param(key, str(v)) for key, v in (params or {}).items()],
        )


def leaderboard(attempts: list[dict[str, Any]], objective: str) -> dict[str, Any]:
    """Trials, best first and failed ones last, as the columns and rows of an MLflow table."""
    sign = -1 if objective == "val_accuracy" else 1
    worst = float("inf")
    ranked = sorted(attempts, key=lambda a: worst if a["score"] is None else sign * a["score"])
    names = ("trial", "status", "score", "best_epoch", "seconds", "parameters", "batch_size")
    settings = list(dict.fromkeys(name for a in ranked for name in a["hyperparameters"]))
    rows = [
        [a["trial"] + 1, *(a[name] for name in names[1:])]
        + [a["hyperparameters"].get(name) for name in settings]
        for a in ranked
    ]
    return {"columns": [*names[:2], objective, *names[3:], *settings], "data": rows}
