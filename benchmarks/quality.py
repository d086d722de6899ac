"""python -m benchmarks.quality age 10: our search against stock AutoKeras, in the same minutes.

Both get the shards that `dvc repro augment@age` has put into this folder: train to learn from, val
to choose by; test is looked at once each has chosen. Stock AutoKeras gets its own search space and
all the memory it wants; at every epoch that is its best so far its answers on test are noted, so
that being stopped in the middle of a trial costs it nothing.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from stages.records.calibration import Temperature
from stages.records.folders import Folders
from stages.records.shards import Shards
from stages.records.trials import MODEL, TRIALS
from tests.params_yaml import complete, write_params

UNCALIBRATED = Temperature(1)  # which changes no answer


def main() -> None:
    task, minutes = sys.argv[1], float(sys.argv[2])
    parts = Folders(task).shards.resolve()
    train = Shards(parts / "train")
    print(f"{task}: {len(train):,} pictures to learn from, {minutes:g} minutes each")
    print(f"{'':18}{'minutes':>8}{'trials':>8}{'epochs':>8}{'val_loss':>10}{'val':>8}{'test':>8}")
    for name, way in (("ours", ours), ("stock AutoKeras", stock)):
        start = time.perf_counter()
        found = way(task, minutes, parts)
        found["minutes"] = (time.perf_counter() - start) / 60
        line = "{name:18}{minutes:8.1f}{trials:8}{epochs:8}{val_loss:10.4f}{val:8.3f}{test:8.3f}"
        print(line.format(name=name, **found), flush=True)


def ours(task: str, minutes: float, parts: Path) -> dict[str, Any]:
    import keras

    from stages.networks.predict import class_probabilities, outputs

    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        at = Folders(task, root)
        for link, folder in ((at.shards, parts), (at.weights, Folders(task).weights.resolve())):
            link.parent.mkdir(parents=True)
            link.symlink_to(folder)
        params = complete()
        params["tasks"][task]["search"] |= {"max_trials": 1000, "max_minutes": minutes}
        write_params(params, root)
        environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
        command = [sys.executable, "-m", "stages.search", task]
        subprocess.run(command, cwd=root, env=environment, check=True, stderr=subprocess.DEVNULL)
        found = TRIALS.read(at.search)
        model = keras.saving.load_model(at.search / MODEL, compile=False)
    shares = {}
    for part in ("val", "test"):
        shards = Shards(parts / part)
        predicted = class_probabilities(outputs(model, shards).raw, UNCALIBRATED).argmax(1)
        shares[part] = (predicted == shards.labels).mean()
    epochs = sum(len(trial.epochs) for trial in found.trials)
    counts = {"trials": len(found.trials), "epochs": epochs}
    return shares | counts | {"val_loss": found.best.score}


def stock(task: str, minutes: float, parts: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.quality", "stock", str(minutes), str(parts)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    results = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(results[-1])


def stock_search(minutes: float, parts: Path) -> None:
    """Print what the best epoch so far has reached, as JSON, at each and when time is over."""
    import keras

    from benchmarks.stock import StockTuner, classifier

    best = {"trials": 0, "epochs": 0, "val_loss": float("inf"), "val": 0.0, "test": 0.0}

    class Watched(StockTuner):
        def on_trial_begin(self, trial: Any) -> None:
            super().on_trial_begin(trial)
            best["trials"] += 1

        def on_epoch_end(self, trial: Any, model: keras.Model, epoch: int, logs: dict) -> None:
            super().on_epoch_end(trial, model, epoch, logs=logs)
            best["epochs"] += 1
            if logs["val_loss"] < best["val_loss"]:
                answers = model.predict(x["test"], verbose=0)
                right = answers.argmax(1) == y["test"]
                best.update(
                    val_loss=logs["val_loss"], val=logs["val_accuracy"], test=float(right.mean())
                )

    def over(*_: object) -> None:
        print("\n" + json.dumps(best), flush=True)
        os._exit(0)

    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    shards = {part: Shards(parts / part) for part in ("train", "val", "test")}
    x = {part: each.read(np.arange(len(each))) for part, each in shards.items()}
    y = {part: each.labels for part, each in shards.items()}
    with tempfile.TemporaryDirectory() as scratch:
        search = classifier(Watched, max_trials=1000, directory=scratch)
        data = {"validation_data": (x["val"], y["val"]), "verbose": 0}
        search.fit(x["train"], y["train"], **data)
    over()


if __name__ == "__main__":
    if sys.argv[1] == "stock":
        stock_search(float(sys.argv[2]), Path(sys.argv[3]))
    else:
        main()
