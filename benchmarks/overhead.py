"""python -m benchmarks.overhead: what a search costs beyond training its networks.

Each of the first networks that `blocks: auto` proposes on a CPU, with the default budget of `age`:
seconds of its trial (as in trials.json: building, normalising, training, judging, writing down)
against Keras' own `fit` of the same network with the same pictures in memory, in turn, three times.
`waiting` is the share of the trial's training time in which it waited for pictures. The last lines
compare seconds an epoch while MLflow is there, away, and silent.
"""

import gc
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.memory import write
from stages.params.merge import load
from stages.records import attempts
from stages.records.folders import Folders
from stages.records.params import Search
from stages.records.shards import Pictures, Shards
from tests.params_yaml import complete, write_params

ROUNDS = 3
NAMES = ("vanilla", "vanilla, wide", "residual", "separable", "residual, wide", "vanilla, flat")


def main() -> None:
    params = load().tasks["age"].search
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folder = Folders("age", root).shards
        folder.mkdir(parents=True)
        write(folder / "train", 6000, 64, 3)
        write(folder / "val", 200, 64, 3)
        train, val = Shards(folder / "train"), Shards(folder / "val")
        trials, fits = compare(params, train, val, root)
        print(f"{'network':20}{'trial, s':>10}{'Keras fit, s':>14}{'ratio':>8}{'waiting':>10}")
        for number, network in enumerate(NAMES):
            seconds = statistics.median(each[number].seconds for each in trials)
            fit = statistics.median(each[number] for each in fits)
            waits = [epoch.data_wait for each in trials for epoch in each[number].epochs]
            ratio = seconds / fit
            print(f"{network:20}{seconds:10.1f}{fit:14.1f}{ratio:8.2f}{np.mean(waits):10.1%}")
        total = sum(trial.seconds for each in trials for trial in each) / sum(map(sum, fits))
        print(f"all of them: {total:.2f} of Keras' fit; target 1.10; waiting: target 5 %\n")
        mlflow(root)


def compare(params: Search, train: Shards, val: Shards, root: Path) -> tuple[list, list]:
    """A list for each round: our trials, and the seconds of Keras' `fit` of each network."""
    import keras

    from stages.search.search import search
    from stages.search.trial import lesson
    from stages.search.trial.plan import Plan
    from stages.search.trial.target import Classification

    target = Classification(4)
    x = train.read(np.arange(params.samples_per_epoch or len(train)))
    y = target.targets(train, training=True)[: len(x)]
    x_val, y_val = val.read(np.arange(len(val))), target.targets(val, training=False)
    blocks = ["vanilla", "residual"]
    update = {"blocks": blocks, "max_trials": len(NAMES), "patience": params.max_epochs}
    params = params.model_copy(update=update)
    plan = Plan(params, train, val, target, root / "features")
    trials, fits = [], []
    gc.freeze()  # as the search's own process does
    once = params.model_copy(update={"max_trials": 1})
    search(Plan(once, train, val, target, root / "features"), root / "warm-up")
    for each in range(ROUNDS):
        networks = []
        normalise = lesson.normalise

        def remember(model: keras.Model, pictures: Pictures, seed: int) -> None:
            networks.append(model.to_json())  # noqa: B023
            normalise(model, pictures, seed)  # noqa: B023

        lesson.normalise = remember
        scratch = root / f"search{each}"
        trials.append(search(plan, scratch).trials)
        lesson.normalise = normalise
        fits.append([])
        for network in networks:
            keras.backend.clear_session()
            model = keras.models.model_from_json(network)
            model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
            start = time.perf_counter()
            data = {"validation_data": (x_val, y_val), "verbose": 0}
            model.fit(x, y, params.batch_size, params.max_epochs, **data)
            fits[-1].append(time.perf_counter() - start)
    return trials, fits


def mlflow(root: Path) -> None:
    """Seconds an epoch of one network, in turn, with MLflow in three states."""
    params = complete()
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:  # takes calls, no answer
        places = {
            "there (SQLite)": None,
            "away": "http://127.0.0.1:9",
            "silent": f"http://127.0.0.1:{silent.getsockname()[1]}",
        }
        seconds = {place: [] for place in places}
        for seed in range(1, ROUNDS + 1):
            brief = {"max_trials": 1, "patience": 8, "seed": seed, "pretrained": False}
            params["tasks"]["age"]["search"] |= brief
            for place, uri in places.items():
                write_params(params, root)
                environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
                environment |= {"MLFLOW_TRACKING_URI": uri} if uri else {}
                command = [sys.executable, "-m", "stages.search", "age"]
                subprocess.run(
                    command,
                    cwd=root,
                    env=environment,
                    check=True,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                [scratch] = Folders("age", root).searches.iterdir()
                epochs = attempts.read(scratch)[0].epochs[1:]  # the first one traces
                seconds[place] += [epoch.seconds for epoch in epochs]
                subprocess.run(["rm", "-r", root / ".search"], check=True)
    best = statistics.median(seconds["there (SQLite)"])
    for place, found in seconds.items():
        ratio = statistics.median(found) / best
        print(f"MLflow {place:16}{statistics.median(found):8.2f} s an epoch, {ratio:.3f}")


if __name__ == "__main__":
    main()
