"""python -m stages.search.processes.worker age: the process that trains.

`python -m stages.search` starts it.

It ends with status 0 when there is nothing left to do, `AGAIN` when it has grown and wants to be
replaced. Its first line on stdout says what it works on. On stdin it hears `stop` (end after the
running epoch); when stdin closes, whoever started it is gone, and it goes too.
"""

import gc
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.backend import import_keras
from stages.common.door import door
from stages.common.files import new_folder
from stages.records.params import read
from stages.records.shards import Shards
from stages.search.journal import attempts

if TYPE_CHECKING:
    from stages.search.trial.tuner import Control

log = logging.getLogger(__name__)


def main(task: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    announce = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # KerasTuner's prints are for its developers
    params = read(task)
    train, val = (Shards(Path(f"data/shards/{task}/{part}")) for part in ("train", "val"))
    keras = import_keras()
    from stages.search.processes.chief import AGAIN
    from stages.search.search import fingerprint, resolve, search
    from stages.search.trial.tuner import Control, Outgrown

    kind = params.kind
    n_classes = None if kind == "regression" else len(params.classes)
    resolved = resolve(params.search, params.weights)
    search_id = fingerprint(resolved, os.environ["SEARCH_DATA"], kind)
    scratch = Path(f".search/{task}/{search_id}")
    scratch.mkdir(parents=True, exist_ok=True)
    print(
        json.dumps({"search_id": search_id, "params": resolved.model_dump(mode="json")}),
        file=announce,
        flush=True,
    )
    gc.freeze()  # KerasTuner collects garbage three times a trial; not among all that was imported
    control = Control(recycle=True)
    threading.Thread(target=listen, args=(control,), daemon=True).start()
    try:
        result = search(resolved, train, val, n_classes, scratch, control)
    except Outgrown:
        sys.exit(AGAIN)
    if not result:
        return
    model, record = result.model, None
    if resolved.final_fit and not control.stop:
        from stages.search.trial.final_fit import final_fit

        model, record = final_fit(result, resolved, train, val, n_classes, scratch)
    with new_folder(scratch / "result") as out:
        # As a new model, that the optimizer's state, twice the size of the weights, stays out.
        keras.Model(model.inputs, model.outputs).save(out / "model.keras")
        with (out / "architecture.txt").open("w", encoding="utf-8") as file:
            model.summary(print_fn=lambda line: file.write(line + "\n"))
        content = {
            "search_id": search_id,
            "kind": kind,
            "objective": resolved.objective,
            "best": result.best,
            "stopped": control.stop,
            "params": resolved.model_dump(mode="json"),
            "trials": result.trials,
            "earlier": [
                attempt
                for attempt in attempts.read(scratch)
                if attempt["trial"] < resolved.max_trials and attempt not in result.trials
            ],
            "final_fit": record,
        }
        (out / "trials.json").write_text(json.dumps(content, indent=1), encoding="utf-8")


def listen(control: "Control") -> None:
    """Do what the process that started this one says; end with it."""
    for line in sys.stdin:
        if line.strip() == "stop":
            control.stop = True
    os._exit(1)


if __name__ == "__main__":
    door(main)
