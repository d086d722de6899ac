"""python -m benchmarks.workers [trials]: two workers of one core each against one on one core.

The same trials from the start of `python -m stages.search` to its end: with `workers: 1` pinned to
one core, then with `workers: 2` and `cpus: 1` on two cores, which also hold the driver. They are
random, seeded by their numbers. Each trains a head on features that are computed once, for as many
epochs as the others, so that they take about as long. Target: 1.7 times as fast.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.memory import write
from stages.records.faces import GEOMETRY, EyePlaces
from stages.records.folders import Folders
from stages.records.trials import TRIALS, Attempt
from stages.records.weights import WEIGHTS, Weight, Weights
from tests.params_yaml import complete, write_params

PHOTOS = 375
SEARCH = {
    "tuner": "random",
    "blocks": ["edges"],
    "pretrained": False,
    "fine": None,
    "max_epochs": 30,
    "patience": 30,
    "samples_per_epoch": 24000,
    "cpus": 1,
}


def main() -> None:
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        at = Folders("age", root)
        at.shards.mkdir(parents=True)
        write(at.shards / "train", 3000, 64, 3)
        rows = np.arange(3000)
        index = pd.DataFrame({"id": rows % PHOTOS, "copy": rows // PHOTOS})
        index.to_csv(at.shards / "train/index.csv", index=False)
        write(at.shards / "val", 200, 64, 3)
        GEOMETRY.write(at.faces, EyePlaces(64, ((21.0, 29.0), (43.0, 29.0))))
        missing = Weight("none", None, None, "")
        WEIGHTS.write(at.weights, Weights(missing, missing))
        one, alone = search(root, trials, workers=1)
        two, shared = search(root, trials, workers=2)
    print(f"{'trial':8}{'alone, s':>10}{'of two, s':>10}{'score alone':>13}{'of two':>10}")
    for a, b in zip(alone, shared, strict=True):
        assert a.hyperparameters == b.hyperparameters and len(a.epochs) == len(b.epochs)
        print(f"{a.trial + 1:<8}{a.seconds:10.1f}{b.seconds:10.1f}{a.score:13.4f}{b.score:10.4f}")
    print(f"one worker {one:.0f} s, two {two:.0f} s: {one / two:.2f} times as fast; target 1.7")


def search(root: Path, trials: int, workers: int) -> tuple[float, list[Attempt]]:
    """Seconds, and the trials in their order."""
    params = complete()
    wanted = SEARCH | {"max_trials": trials, "workers": workers}
    params["tasks"]["age"]["search"] |= wanted
    write_params(params, root)
    subprocess.run(["rm", "-rf", root / ".search"], check=True)
    cores = sorted(os.sched_getaffinity(0))
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "stages.search", "age"],
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
        preexec_fn=lambda: os.sched_setaffinity(0, cores[:workers]),
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return time.perf_counter() - start, list(TRIALS.read(Folders("age", root).search).trials)


if __name__ == "__main__":
    main()
