"""Writes down what trials do while they train, in `stages.records.attempts`; shows progress."""

import logging
import math
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

import keras
import msgspec

from stages.common.clock import now_ms
from stages.common.parallel import progress
from stages.networks.batches import Batches
from stages.records import attempts
from stages.records.objective import Objective
from stages.records.params import Search
from stages.records.trials import Attempt, Epoch, ranked
from stages.search.journal.progress import Progress
from stages.search.journal.settings import settings
from stages.search.journal.stopwatch import Stopwatch

log = logging.getLogger(__name__)
MB = 1 << 20


class Journal:
    """Implements `stages.search.trial.watch.Journal` for the search in `scratch`.

    `worker` names this process in the attempts. With `bar`, a terminal shows a progress bar.
    """

    def __init__(self, scratch: Path, params: Search, worker: str, bar: bool = True) -> None:
        self.scratch, self.params, self.worker, self.bar = scratch, params, worker, bar
        self.objective = Objective(params.objective)
        self.attempt: Attempt | None = None  # the running one
        self.title = ""  # its name for people
        self.progress: Progress | None = None
        self.final_fit = False  # whether it is one, and not a trial

    def crashes(self, trial: Any) -> list[str]:
        number = int(trial.trial_id)
        return [a.error for a in attempts.read(self.scratch) if a.trial == number and a.crashed]

    def trial_begins(self, trial: Any) -> None:
        number = int(trial.trial_id)
        attempts.interrupt(self.scratch, "its process was stopped", trial=number)
        earlier = [each for each in attempts.read(self.scratch) if each.trial == number]
        self.attempt = Attempt(
            trial=number,
            attempt=len(earlier) + 1,
            status="RUNNING",
            hyperparameters=settings(trial.hyperparameters),
            worker=self.worker,
            started_ms=now_ms(),
        )
        self.final_fit = False
        self._update()
        self._log_begin()

    def features(self, batches: range) -> Iterator[int]:
        began = time.perf_counter()
        shown = progress(batches, desc=f"{self.title}: features", total=len(batches), unit="batch")
        yield from shown if self.bar and batches else batches
        seconds = time.perf_counter() - began
        if self.attempt:  # else a network is put together after the trials
            self._update(feature_seconds=(self.attempt.feature_seconds or 0) + seconds)

    def training_begins(
        self, model: keras.Model, batches: Batches, epochs: int
    ) -> keras.callbacks.Callback:
        self._update(parameters=model.count_params(), batch_size=batches.batch_size)
        if self.progress:  # of a training that ran out of memory
            self.progress.close()
        self.progress = Progress(self.title, epochs, len(batches), self.bar)
        return _Watch(Stopwatch(batches), self.progress, self._epoch_ends)

    def trial_ends(self, trial: Any) -> None:
        self._end(**_outcome(trial))

    def told(self, attempt: Attempt, epochs: int) -> None:
        """Write down and log what the journal of another process says of a trial, of at most
        `epochs`."""
        before, self.attempt = self.attempt, attempt
        self._write(attempt)
        if before is None:
            self._log_begin()
            return
        if len(attempt.epochs) > len(before.epochs):
            self.progress = self.progress or Progress(self.title, epochs, 0, bar=False)
            self.progress.epoch(attempt.epochs[-1], self._outlook())
        if attempt.ended_ms:
            self._log_end(attempt)

    def stopped(self) -> None:
        """The search ends early: close the running attempt, if there is one, with its best epoch.

        That is the epoch whose weights KerasTuner has kept: the first of equal ones.
        """
        if not self.attempt:
            return
        best = min(self.attempt.epochs, key=lambda row: self.objective.key(self._score(row)))
        self._end(status="STOPPED", score=self._score(best), best_epoch=best.epoch)

    def catch_up(self, ended: Iterable[Any]) -> None:
        trials = {int(trial.trial_id): trial for trial in ended}
        for attempt in attempts.latest(attempts.read(self.scratch)):
            if attempt.status in ("RUNNING", "INTERRUPTED") and attempt.trial in trials:
                time_ms = attempt.epochs[-1].time_ms if attempt.epochs else now_ms()
                outcome = _outcome(trials[attempt.trial]) | {"crashed": False}
                attempts.write(self.scratch, _ended(attempt, time_ms, outcome))

    def final_fit_begins(self, winner: Attempt) -> None:
        """`training_begins` comes next, and after the training `final_fit_ends`."""
        self.attempt = Attempt(
            trial=winner.trial,
            attempt=1,
            status="RUNNING",
            hyperparameters=winner.hyperparameters,
            worker=self.worker,
            started_ms=now_ms(),
        )
        self.final_fit = True
        self.title = f"final fit of trial {winner.trial + 1}"

    def final_fit_ends(self) -> Attempt:
        return self._end(status="COMPLETED")

    def _epoch_ends(self, row: Epoch) -> str:
        assert self.attempt
        self._update(epochs=(*self.attempt.epochs, row))
        return self._outlook()

    def _score(self, row: Epoch) -> float | None:
        return getattr(row, self.objective)

    def _update(self, **changes: Any) -> None:
        assert self.attempt
        self.attempt = msgspec.structs.replace(self.attempt, **changes)
        self._write(self.attempt)

    def _write(self, attempt: Attempt) -> None:
        if self.final_fit:
            attempts.final_fit_file(attempt.trial).write(self.scratch, attempt)
        else:
            attempts.write(self.scratch, attempt)

    def _end(self, **outcome: Any) -> Attempt:
        assert self.attempt
        ended = _ended(self.attempt, now_ms(), outcome | {"memory_mb": _memory()})
        self._write(ended)
        self._log_end(ended)
        return ended

    def _log_begin(self) -> None:
        assert self.attempt
        number = self.attempt.trial + 1
        described = ", ".join(f"{k} {v}" for k, v in self.attempt.hyperparameters.items())
        log.info("trial %d of %d: %s", number, self.params.max_trials, described)
        self.title = f"trial {number}"

    def _log_end(self, ended: Attempt) -> None:
        self.attempt = None
        if self.progress:
            self.progress.close()
            self.progress = None
        status, seconds = ended.status.lower(), ended.seconds
        log.info("%s %s in %.0f s; %s", self.title, status, seconds, self._outlook())

    def _outlook(self) -> str:
        """The best score so far, and how long the trials that are left will take."""
        found = attempts.latest(attempts.read(self.scratch))
        ended = [each for each in found if each.status in ("COMPLETED", "FAILED")]
        best = next(iter(ranked(ended, self.objective)), None)
        if best is None or best.score is None:
            return "none has ended yet"
        told = f"best so far {best.score:.4f}"
        # Features are computed once: later trials have theirs already.
        each = fmean((trial.seconds or 0) - (trial.feature_seconds or 0) for trial in ended)
        left = (self.params.max_trials - len(ended)) * each / self.params.workers
        if not left:
            return told
        minutes, rest = divmod(round(left), 60)
        return f"{told}; about {f'{minutes} min ' if minutes else ''}{rest} s to go"


class _Watch(keras.callbacks.Callback):
    def __init__(
        self, stopwatch: Stopwatch, progress: Progress, write: Callable[[Epoch], str]
    ) -> None:
        super().__init__()
        self.stopwatch, self.progress, self.write = stopwatch, progress, write

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.stopwatch.epoch_begins()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.stopwatch.step_ends()
        self.progress.step(batch + 1)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        metrics = {name: _finite(value) for name, value in (logs or {}).items()}
        row = Epoch(
            epoch=epoch,
            time_ms=now_ms(),
            **metrics | {"learning_rate": rate},
            **self.stopwatch.epoch_ends()._asdict(),
            memory_mb=_memory(),
        )
        self.progress.epoch(row, self.write(row))


def _outcome(trial: Any) -> dict[str, Any]:
    """What KerasTuner says of a trial that has ended, as fields of an `Attempt`."""
    score = _finite(trial.score)
    return {
        "status": "COMPLETED" if trial.status == "COMPLETED" else "FAILED",
        "score": score,
        "best_epoch": None if score is None else trial.best_step,
        "error": trial.message or "",
    }


def _ended(attempt: Attempt, ended_ms: int, outcome: dict[str, Any]) -> Attempt:
    seconds = (ended_ms - attempt.started_ms) / 1000
    return msgspec.structs.replace(attempt, **outcome, ended_ms=ended_ms, seconds=seconds)


def _finite(value: float | None) -> float | None:
    """JSON has no number for a loss that is not one."""
    return None if value is None or not math.isfinite(value) else float(value)


def _memory() -> float:
    """The most memory that this process has held so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB
