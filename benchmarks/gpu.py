"""python -m benchmarks.gpu age: fine-tuning on a GPU against frozen features, on the same shards.

It needs the outputs of `dvc repro augment@age` and, for pretrained networks, their weights. On a
machine with a GPU it searches twice: on the GPU, in mixed precision, where SFace's last units and
the ImageNet blocks train; and on the CPU, where only heads train. It prints each trial's seconds
and what it reaches on val. Without a GPU it prints the CPU's trials alone.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

GPU = ("face", "squeezenet", "efficient", "resnet")
CPU = ("face", "edges", "colour")
HIDDEN = "CUDA_VISIBLE_DEVICES"


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description=__doc__)
    parser.add_argument("task", help="a task of params.yaml")
    parser.add_argument("--trials", type=int, default=8, help="on each device")
    parser.add_argument("--minutes", type=float, default=6, help="on each device, at most")
    parser.add_argument("--here", action="store_true", help="search in this process alone")
    options = parser.parse_args()
    if options.here:
        run(options.task, options.trials, options.minutes)
        return
    print("| device | trial | block | seconds | val log loss | val accuracy |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    command = [sys.executable, "-m", "benchmarks.gpu", *sys.argv[1:], "--here"]
    for hidden in ({}, {HIDDEN: "-1"}):
        subprocess.run(command, env=os.environ | hidden, check=True)


def run(task: str, trials: int, minutes: float) -> None:
    """Search on the device that Keras finds; without a GPU only where it is hidden on purpose."""
    from stages.common.backend import import_keras

    import_keras()
    from stages.search.trial import hardware

    gpu = hardware.has_gpu()
    if not gpu and os.environ.get(HIDDEN) != "-1":
        print("| no GPU | | | | | |", flush=True)
        return
    import threading

    from stages.records.params import read
    from stages.search.control import Control
    from stages.search.processes.worker import plan_of
    from stages.search.search import search

    params = read(task)
    blocks = GPU if gpu else CPU
    update = {"blocks": list(blocks), "max_trials": trials, "pretrained": True, "ensemble": 1}
    params = params.model_copy(update={"search": params.search.model_copy(update=update)})
    control = Control()
    threading.Timer(60 * minutes, lambda: setattr(control, "stop", True)).start()
    with tempfile.TemporaryDirectory() as scratch:
        result = search(plan_of(task, params), Path(scratch) / "search", control)
    for trial in result.trials:
        best = trial.epochs[trial.best_epoch] if trial.best_epoch is not None else None
        tuned = " tuned" if trial.hyperparameters.get("tuned") else ""
        shown = [
            "GPU" if gpu else "CPU",
            str(trial.trial + 1),
            f"{trial.hyperparameters['block_type']}{tuned}",
            f"{trial.seconds or 0:.0f}",
            f"{best.val_loss:.4f}" if best and best.val_loss else trial.status.lower(),
            f"{best.val_accuracy:.3f}" if best and best.val_accuracy else "",
        ]
        print("| " + " | ".join(shown) + " |", flush=True)
    os._exit(0)  # the timer may still wait


if __name__ == "__main__":
    main()
