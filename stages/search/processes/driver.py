"""A search whose trials Ray tasks train, on this machine or on many.

The oracle stays here, in one process, and all that is kept is written here: what tasks tell goes
into the search's folder as if they had trained in it.
"""

import json
import logging
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from keras_tuner.src.engine.trial import Trial
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayTaskError,
    WorkerCrashedError,
)

from stages.common.files import new_file
from stages.records import attempts
from stages.search.journal.journal import Journal
from stages.search.processes import cluster
from stages.search.processes.child import DATA
from stages.search.processes.task import FILES, STATE, News, Order, running_folder, train
from stages.search.trial.tuner import FromShards
from stages.search.trial.watch import Stopped

log = logging.getLogger(__name__)
WAIT = 0.2  # seconds between two looks at whether the search should end
LOOK = 2  # seconds between two looks at whether all machines are there


@dataclass
class Running:
    """A trial in a task."""

    slot: str  # the name by which the oracle knows who trains it
    trial: Any
    journal: Journal
    machine: str = ""  # Ray's id of it, once there is news


class Driver(FromShards):
    """Lets tasks train its trials, `plan.params.workers` at a time."""

    def _run_trials(self, **fit: Any) -> None:
        self.save()
        self.scratch = Path(self.project_dir)
        self.running: dict[ray.ObjectRefGenerator, Running] = {}
        with cluster.connected(self.plan.params):
            self._fill()
            looked = time.monotonic()
            while self.running:
                for task in ray.wait([*self.running], timeout=WAIT)[0]:
                    self._listen(task)
                if time.monotonic() > looked + LOOK:
                    looked = time.monotonic()
                    self._leave_lost_machines()
                if self.control.stop:
                    self._end_those_without_news()
        shutil.rmtree(running_folder(self.scratch), ignore_errors=True)
        if self.control.stop:
            raise Stopped

    def _fill(self) -> None:
        """Let as many trials train as should."""
        taken = {each.slot for each in self.running.values()}
        slots = [f"slot-{n}" for n in range(self.plan.params.workers)]
        for slot in slots if not self.control.stop else []:
            if slot in taken:
                continue
            trial = self.oracle.create_trial(slot)
            if trial.status in ("STOPPED", "IDLE"):  # there are no more, or not until one has ended
                return
            self._start(slot, trial)

    def _start(self, slot: str, trial: Any) -> None:
        number = int(trial.trial_id)
        attempts.interrupt(self.scratch, "its process was stopped", trial=number)
        order = Order(
            task=self.scratch.parent.name,
            search_id=self.scratch.name,
            data=os.environ[DATA],
            trial=trial.get_state(),
            attempts=[each for each in attempts.read(self.scratch) if each.trial == number],
            files=self._goes_on_from(trial),
        )
        task = cluster.remote(train, self.plan.params).remote(order)
        self.running[task] = Running(slot, trial, Journal(self.scratch, self.plan.params, slot))

    def _goes_on_from(self, trial: Any) -> dict[str, bytes]:
        """Hyperband trains a trial in several parts: what the part before has left."""
        before = trial.hyperparameters.values.get("tuner/trial_id")
        if before is None:
            return {}
        folder = Path(self.get_trial_dir(before))
        found = [folder / name for name in FILES if (folder / name).exists()]
        return {str(path.relative_to(self.scratch)): path.read_bytes() for path in found}

    def _listen(self, task: Any) -> None:
        running = self.running[task]
        try:
            news: Any = ray.get(next(task))  # a `News`
        except RayTaskError as error:
            raise error.cause from None
        except (WorkerCrashedError, OutOfMemoryError) as error:
            self._again(task, str(error).splitlines()[0], crashed=True)
        except (NodeDiedError, ObjectLostError):
            self._again(task, "its machine was lost", crashed=False)
        else:
            self._take(running, news)
            if news.attempt.ended_ms:
                del self.running[task]
                self._fill()
            elif self.control.stop and news.attempt.epochs:
                self._stop(task)

    def _take(self, running: Running, news: News) -> None:
        folder = Path(self.get_trial_dir(running.trial.trial_id))
        state = news.files.pop(STATE, None)
        for name in news.files.keys() & FILES:
            with new_file(folder / name) as part:
                part.write_bytes(news.files[name])
        if state and news.attempt.ended_ms:  # the oracle knows first, see `Journal.catch_up`
            ended = Trial.from_state(json.loads(state))
            self.oracle.get_trial(ended.trial_id).metrics = ended.metrics
            self.oracle.end_trial(ended)
            self.save()
        running.machine = news.machine
        running.journal.told(news.attempt, news.epochs)

    def _leave_lost_machines(self) -> None:
        """Ray knows after half a minute that a machine is silent, and tells its tasks' driver only
        when the connection ends, which may take many minutes."""
        lost = {node["NodeID"] for node in ray.nodes() if not node["Alive"]}
        for task, running in list(self.running.items()):
            if running.machine in lost:
                self._again(task, "its machine was lost", crashed=False)

    def _again(self, task: Any, reason: str, crashed: bool) -> None:
        """`crashed`: perhaps by what it was training, see `Journal.crashes`."""
        running = self.running.pop(task)
        log.warning("%s: %s; going on", running.journal.title or "a trial", reason)
        number = int(running.trial.trial_id)
        attempts.interrupt(self.scratch, reason, trial=number, crashed=crashed)
        if not self.control.stop:
            self._start(running.slot, running.trial)

    def _stop(self, task: Any) -> None:
        running = self.running.pop(task)
        running.journal.stopped()
        ray.cancel(task, force=True)

    def _end_those_without_news(self) -> None:
        for task, running in list(self.running.items()):
            if running.journal.attempt is None:
                del self.running[task]
                ray.cancel(task, force=True)
