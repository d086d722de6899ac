"""Searches as MLflow runs: one for the search, and nested in it one for each attempt at a trial.

The files are the truth. MLflow shows what they say, while a search trains, and later from
`trials.json`, where MLflow was away or the machine only pulled the outputs.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.clock import now_ms
from stages.records.objective import Objective
from stages.records.trials import OUTSIDE_TRIALS, Attempt, Search, Setting, Trials, ranked
from stages.tracking.store import experiment_id

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

Key = tuple[str, str]  # number of the trial from 1, or "final fit"; number of the attempt
STATUSES = {"COMPLETED": "FINISHED", "FAILED": "FAILED"}  # MLflow's; of all others KILLED


def find_search(client: "MlflowClient", task: str, search_id: str) -> "Run | None":
    """The run of a search, by the fingerprint of what it searched."""
    runs = client.search_runs(
        [experiment_id(client, task)], f"tags.search_id = '{search_id}'", max_results=1
    )
    return runs[0] if runs else None


class MirroredSearch:
    """One search in MLflow; its run is created at first use.

    `send` may be called again and again: it sends what MLflow lacks.
    """

    def __init__(self, client: "MlflowClient", task: str, search: Search) -> None:
        self.client, self.task, self.search = client, task, search
        self.experiment = experiment_id(client, task)
        found = find_search(client, task, search.search_id)
        self.parent: str = found.info.run_id if found else self._create()
        self.children: dict[Key, str] = {}  # run ids
        self.closed: set[Key] = set()
        self.epochs: dict[Key, int] = {}  # sent so far
        self.ended = 0  # trials that the leaderboard has
        self.place = ""  # this machine and folder, once the search is open here
        for run in self._runs(f"tags.`mlflow.parentRunId` = '{self.parent}'"):
            key = run.data.tags["trial"], run.data.tags["attempt"]
            self.children[key] = run.info.run_id
            if run.info.status != "RUNNING":
                self.closed.add(key)

    def open(self, git_commit: str) -> None:
        """Mark the search as running here, and close the runs that a kill has left running here."""
        here = hashlib.sha256(f"{platform.node()} {Path.cwd()}".encode()).hexdigest()[:16]
        for run in self._runs(f"tags.place = '{here}' and attributes.status = 'RUNNING'"):
            if self.parent not in (run.info.run_id, run.data.tags.get("mlflow.parentRunId")):
                self.client.set_tag(run.info.run_id, "trial_status", "INTERRUPTED")
                self.client.set_terminated(run.info.run_id, "KILLED")
        self.place = here
        self._tag(self.parent, {"place": here, "git_commit": git_commit})
        self.client.update_run(self.parent, status="RUNNING")

    def send(self, attempts: Iterable[Attempt], final_fits: Iterable[Attempt] = ()) -> None:
        """Send what is new in `attempts`, sorted by trial and attempt, and in `final_fits`."""
        attempts = list(attempts)
        for attempt in attempts:
            self._send(attempt, (str(attempt.trial + 1), str(attempt.attempt)))
        for final_fit in final_fits:
            self._send(final_fit, ("final fit", str(final_fit.trial + 1)))
        ended = [each for each in attempts if each.status in ("COMPLETED", "FAILED")]
        if len(ended) != self.ended:
            self._send_progress(ended)
            self.ended = len(ended)

    def close(
        self,
        status: str,
        end_ms: int,
        attempts: int,
        files: Mapping[str, str],
        result: Trials | None,
    ) -> None:
        """End the search's run. `attempts`: how many there are. `files`: name -> text.

        `result`: of a search that came to its end, else None.
        """
        for name, text in files.items():
            self.client.log_text(self.parent, text, name)
        if result and result.gain:
            rows = [[each.trial + 1, each.mirrored, each.weight] for each in result.members]
            table = {"columns": ["trial", "mirrored", "weight"], "data": rows}
            self.client.log_dict(self.parent, table, "ensemble.json")
            gain = {
                "val_error_alone": result.gain.alone,
                "val_error_together": result.gain.together,
            }
            self._log(self.parent, metrics=gain, time_ms=end_ms)
            self._show("leaderboard.json", "ensemble.json")
        self._tag(self.parent, {"attempts": str(attempts)})
        self.client.set_terminated(self.parent, status, end_time=end_ms)

    def _create(self) -> str:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        tags = {
            "kind": "search",
            "search_id": self.search.search_id,
            "dvc_stage": f"search@{self.task}",
            "mlflow.source.name": f"python -m stages.search {self.task}",
        }
        name = f"search-{self.task}"
        run_id = self.client.create_run(self.experiment, run_name=name, tags=tags).info.run_id
        params = {k: v for k, v in self.search.params.items() if k not in OUTSIDE_TRIALS}
        self._log(run_id, params=params)
        data = [
            DatasetInput(
                Dataset(
                    name=each.path,
                    digest=each.md5,
                    source_type="dvc",
                    source=each.path,
                    profile=json.dumps({"num_rows": each.rows}),
                ),
                [InputTag("mlflow.data.context", each.context)],
            )
            for each in self.search.data
        ]
        self.client.log_inputs(run_id, data)
        return run_id

    def _send(self, attempt: Attempt, key: Key) -> None:
        if key in self.closed:
            return
        if key not in self.children:
            self.children[key] = self._create_child(attempt, key)
        run_id = self.children[key]
        for row in attempt.epochs[self.epochs.get(key, 0) :]:
            self._log(run_id, metrics=row.metrics(), step=row.epoch, time_ms=row.time_ms)
        self.epochs[key] = len(attempt.epochs)
        if attempt.status == "RUNNING":
            return
        names = (
            *("score", "seconds", "feature_seconds"),
            *("parameters", "best_epoch", "batch_size", "memory_mb"),
        )
        totals = {f"trial_{name}": getattr(attempt, name) for name in names}
        known = {name: value for name, value in totals.items() if value is not None}
        self._log(run_id, metrics=known, time_ms=attempt.ended_ms)
        self._tag(run_id, {"trial_status": attempt.status})
        if attempt.error:
            self._tag(run_id, {"error": attempt.error.strip().splitlines()[-1][:500]})
            self.client.log_text(run_id, attempt.error, "error.txt")
        status = STATUSES.get(attempt.status, "KILLED")
        self.client.set_terminated(run_id, status, end_time=attempt.ended_ms)
        self.closed.add(key)

    def _create_child(self, attempt: Attempt, key: Key) -> str:
        trial, number = key
        name = f"trial-{trial}" if trial.isdigit() else f"final-fit-of-trial-{number}"
        tags = {
            "kind": "trial" if trial.isdigit() else "final_fit",
            "mlflow.parentRunId": self.parent,
            "trial": trial,
            "attempt": number,
        }
        earlier = self.children.get((trial, str(attempt.attempt - 1)))
        if earlier:
            name, tags = f"{name}-again", tags | {"retry_of": earlier}
        if self.place:
            tags["place"] = self.place
        run = self.client.create_run(
            self.experiment, run_name=name, start_time=attempt.started_ms, tags=tags
        )
        self._log(run.info.run_id, params=attempt.hyperparameters)
        if earlier:
            self._tag(earlier, {"retried_as": run.info.run_id})
        return run.info.run_id

    def _send_progress(self, ended: list[Attempt]) -> None:
        """The best score so far, as a curve over the trials, and the leaderboard, as a table."""
        objective = self.search.objective
        best: float | None = None
        for attempt in sorted(ended, key=lambda each: each.ended_ms or 0):
            if attempt.score is None:
                continue
            if best is None or objective.better(attempt.score, best):
                best = attempt.score
            metrics = {f"best_{objective}": best}
            step = attempt.trial + 1
            self._log(self.parent, metrics=metrics, step=step, time_ms=attempt.ended_ms)
        self.client.log_dict(self.parent, _leaderboard(ended, objective), "leaderboard.json")
        self._show("leaderboard.json")

    def _show(self, *tables: str) -> None:
        """Let MLflow's page compare these tables."""
        shown = json.dumps([{"path": path, "type": "table"} for path in tables])
        self._tag(self.parent, {"mlflow.loggedArtifacts": shown})

    def _runs(self, query: str) -> list["Run"]:
        return list(self.client.search_runs([self.experiment], query, max_results=5000))

    def _tag(self, run_id: str, tags: Mapping[str, str]) -> None:
        for name, value in tags.items():
            self.client.set_tag(run_id, name, value)

    def _log(
        self,
        run_id: str,
        *,
        params: Mapping[str, Setting] | None = None,
        metrics: Mapping[str, float] | None = None,
        step: int = 0,
        time_ms: int | None = None,
    ) -> None:
        """Params and metrics in one call. MLflow keeps a metric of the same time and step once."""
        from mlflow.entities import Metric, Param

        time_ms = time_ms or now_ms()
        self.client.log_batch(
            run_id,
            metrics=[Metric(key, float(v), time_ms, step) for key, v in (metrics or {}).items()],
            params=[Param(key, str(v)) for key, v in (params or {}).items()],
        )


def _leaderboard(
    attempts: Iterable[Attempt], objective: Objective
) -> dict[str, list[str] | list[list[Setting]]]:
    """An MLflow table of trials, best first, with `columns` and rows of `data`."""
    board = ranked(attempts, objective)
    names = ("best_epoch", "seconds", "parameters", "batch_size")
    settings = list(dict.fromkeys(name for each in board for name in each.hyperparameters))
    rows: list[list[Setting]] = [
        [each.trial + 1, each.status, each.score]
        + [getattr(each, name) for name in names]
        + [each.hyperparameters.get(name) for name in settings]
        for each in board
    ]
    return {"columns": ["trial", "status", str(objective), *names, *settings], "data": rows}
