"""A trial in a Ray task: trains it on the machine that Ray chose, and sends news meanwhile.

It runs in the checkout that is the worker's working folder, with that checkout's own shards and
weights. Nothing but `Order` and `News` goes over the network.
"""

import os
import queue
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

from stages.common.errors import UserError
from stages.common.files import digest_folders
from stages.records import attempts
from stages.records.folders import Folders
from stages.records.params import read
from stages.records.trials import Attempt

if TYPE_CHECKING:
    from stages.search.trial.plan import Plan

STATE = "trial.json"  # KerasTuner's account of a trial
# The files of a trial's folder that the driver needs: to go on with it, to build its network, and
# to choose the ensemble.
FILES = (STATE, "checkpoint.weights.h5", "build_config.json", "val.npz")


class Order(NamedTuple):
    """What a task is to train."""

    task: str
    search_id: str
    data: str  # the digest of the shards
    trial: dict[str, Any]  # KerasTuner's state of it
    attempts: list[Attempt]  # the earlier ones at this trial
    files: dict[str, bytes]  # what it goes on from, by the path in the search's folder


class News(NamedTuple):
    """What a task tells each time that something is written down."""

    attempt: Attempt
    machine: str  # Ray's id of it
    epochs: int  # at most
    files: dict[str, bytes]  # those of `FILES` that are new


def train(order: Order) -> Iterator[News]:
    """Train the trial. Raises `UserError` where this checkout is not the driver's."""
    from stages.search.processes.worker import plan_of

    _refuse_other_data(order)
    plan = plan_of(order.task, read(order.task))
    _refuse_other_search(order, plan)
    running = running_folder(Folders(order.task).searches / order.search_id)
    running.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=running) as scratch:
        news: queue.SimpleQueue[News | None] = queue.SimpleQueue()
        # In a thread, as a generator can tell nothing while it is inside of Keras' `fit`.
        with ThreadPoolExecutor(1) as pool:
            training = pool.submit(_train, order, plan, Path(scratch), news.put)
            training.add_done_callback(lambda _: news.put(None))
            while (each := news.get()) is not None:
                yield each
        training.result()  # raises what it has raised


def running_folder(scratch: Path) -> Path:
    """Where trials of the search in `scratch` train; what killed tasks have left is of no use."""
    return scratch / "running"


def _train(order: Order, plan: "Plan", scratch: Path, tell: Callable[[News], None]) -> None:
    import ray
    from keras_tuner.src.engine.trial import Trial

    from stages.search.control import Control
    from stages.search.journal.journal import Journal
    from stages.search.search import run_trials
    from stages.search.trial.tuner import FromShards

    trial = Trial.from_state(order.trial)
    for attempt in order.attempts:
        attempts.write(scratch, attempt)
    for path, content in order.files.items():
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).write_bytes(content)

    class OneTrial(FromShards):
        def _run_trials(self, **fit: Any) -> None:
            self.oracle.trials[trial.trial_id] = trial
            self.on_trial_begin(trial)
            self._try_run_and_update_trial(trial, **fit)
            self.on_trial_end(trial)

    class Telling(Journal):
        def _write(self, attempt: Attempt) -> None:
            super()._write(attempt)
            epochs = self.progress.epochs if self.progress else 0
            tell(News(attempt, machine, epochs, new_files()))

    told: dict[str, int] = {}  # file -> when it was written, in nanoseconds

    def new_files() -> dict[str, bytes]:
        found = {}
        for name in FILES:
            path = scratch / f"trial_{trial.trial_id}" / name
            if path.exists() and told.get(name) != path.stat().st_mtime_ns:
                told[name] = path.stat().st_mtime_ns
                found[name] = path.read_bytes()
        return found

    machine = ray.get_runtime_context().get_node_id()
    name = f"{socket.gethostname()}-{os.getpid()}"
    run_trials(plan, scratch, Telling(scratch, plan.params, name, bar=False), Control(), OneTrial)


def _refuse_other_data(order: Order) -> None:
    shards = Folders(order.task).shards
    parts = [shards / part for part in ("train", "val")]
    if all(part.is_dir() for part in parts) and digest_folders(*parts) == order.data:
        return
    raise UserError(
        f"{_here()}: {shards} is not what the search learns from; run `dvc pull {shards}` there, "
        "in a checkout of the same commit"
    )


def _refuse_other_search(order: Order, plan: "Plan") -> None:
    from stages.search.fingerprint import fingerprint

    found = fingerprint(plan, order.data)
    if found != order.search_id:
        raise UserError(
            f"{_here()}: this checkout would search as {found}, and the search is "
            f"{order.search_id}: code, parameters, weights or library versions differ; check out "
            "the same commit there, install its requirements.txt and run `dvc pull`"
        )


def _here() -> str:
    return f"{socket.gethostname()}, {Path.cwd()}"
