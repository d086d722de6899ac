"""python -m stages.search.processes.worker age: the process that searches.

`stages.search.processes.run` starts it, see `child`. It ends with status 0 when there is nothing
left to do, and with `AGAIN` when it has grown and a new process should go on. On stdin it takes
`stop`: end after the running epoch. When stdin closes, its parent has gone, and it ends too.
"""

import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from stages.common.backend import import_keras
from stages.common.door import door
from stages.common.files import new_folder
from stages.records.faces import GEOMETRY
from stages.records.folders import Folders
from stages.records.objective import Objective
from stages.records.params import Task, read
from stages.records.shards import Shards
from stages.records.trials import TRIALS, VAL_OUTPUTS, Trials
from stages.records.weights import WEIGHTS
from stages.search.processes import cluster
from stages.search.processes.child import AGAIN, ARCHITECTURE, DATA, RESULT, Announcement

if TYPE_CHECKING:
    from stages.search.control import Control
    from stages.search.search import Result
    from stages.search.trial.plan import Plan
    from stages.search.trial.target import Target

log = logging.getLogger(__name__)


def main(task: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    parent = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # KerasTuner prints for its developers
    plan = plan_of(task, read(task))
    from stages.search.control import Control, Outgrown
    from stages.search.fingerprint import fingerprint
    from stages.search.search import search

    params = plan.params.model_dump(mode="json") | {"blocks": plan.blocks}
    found = Announcement(fingerprint(plan, os.environ[DATA]), params, plan.skipped)
    print(msgspec.json.encode(found).decode(), file=parent, flush=True)
    scratch = Folders(task).searches / found.search_id
    scratch.mkdir(parents=True, exist_ok=True)
    gc.freeze()  # KerasTuner collects garbage three times a trial; all that was imported is none
    control = Control(recycle=True)
    threading.Thread(target=_listen, args=(control,), daemon=True).start()
    try:
        if cluster.wanted(plan.params):
            from stages.search.processes.driver import Driver

            result = search(plan, scratch, control, Driver)
        else:
            result = search(plan, scratch, control)
    except Outgrown:
        sys.exit(AGAIN)
    with new_folder(scratch / RESULT) as out:
        _write(out, result, plan, found, control.stop)


def plan_of(task: str, params: Task) -> "Plan":
    """What `params.search` asks for, with the task's shards, weights and geometry."""
    at = Folders(task)
    files = WEIGHTS.read(at.weights).pretrained_files(at.weights)
    train, val = (Shards(at.shards / part) for part in ("train", "val"))
    import_keras()
    from stages.search.trial.plan import Plan

    return Plan(
        params.search,
        train,
        val,
        _target(params, train),
        at.cache("features"),
        files,
        GEOMETRY.read(at.faces),
    )


def _target(params: Task, train: Shards) -> "Target":
    from stages.search.trial.target import Classification, Fine, Regression

    if params.kind == "regression":
        return Regression.of(train)
    if params.search.fine == "person":
        return Fine.of_persons(train, len(params.classes))
    if params.search.fine == "value":
        assert params.bins  # the parameters' schema asks for them
        return Fine.of_values(train, params.bins)
    return Classification(len(params.classes))


def _write(out: Path, result: "Result", plan: "Plan", found: Announcement, stopped: bool) -> None:
    from stages.networks.cost import cost
    from stages.networks.export import save

    save(result.model, out, plan.val)
    with (out / ARCHITECTURE).open("w", encoding="utf-8") as file:
        result.model.summary(print_fn=lambda line: file.write(line + "\n"))
    trials = Trials(
        search_id=found.search_id,
        kind=plan.target.kind,
        objective=Objective(plan.params.objective),
        params=found.params,
        data=(),  # the parent knows
        winner=result.best.trial,
        stopped=stopped,
        trials=tuple(result.trials),
        earlier=tuple(result.earlier),
        members=tuple(result.members),
        gain=result.gain,
        multiplications=cost(result.model),
        final_fits=tuple(result.final_fits),
    )
    TRIALS.write(out, trials)
    if result.final_fits:
        VAL_OUTPUTS.write(out, result.val)


def _listen(control: "Control") -> None:
    """Do what the parent says; end with it."""
    for line in sys.stdin:
        if line.strip() == "stop":
            control.stop = True
    os._exit(1)


if __name__ == "__main__":
    door(main)
