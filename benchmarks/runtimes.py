"""taskset -c 0 python -m benchmarks.runtimes [task ...]

The networks of data/search, each answered by Keras with TensorFlow and by LiteRT in a process of
its own: seconds of CPU from the start of Python to the first answer, milliseconds of CPU a picture,
the most memory, and how far the two answers to the photos of test lie apart.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np

from stages.networks.predict import BATCH, outputs
from stages.records.folders import Folders
from stages.records.shards import InMemory, Shards
from stages.records.trials import MODEL

ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.runtimes", description=__doc__)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("tasks", nargs="*", default=["age", "idol", "tone", "harry"])
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.tasks[0], *arguments.one)
        return
    print("| task | runtime | to the first answer, s | a picture, ms | memory, MB | apart |")
    print("| --- | --- | --- | --- | --- | --- |")
    for task in arguments.tasks:
        said = {}
        for runtime in ("Keras", "LiteRT"):
            with NamedTemporaryFile(suffix=".npz") as file:
                command = [sys.executable, "-m", __spec__.name, task, "--one", runtime, file.name]
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                said[runtime] = dict(np.load(file.name))
            found = json.loads(done.stdout.splitlines()[-1])
            apart = max(np.abs(said["Keras"][k] - v).max() for k, v in said[runtime].items())
            figures = f"{found['first']:.1f} | {found['each']:.1f} | {found['memory']:.0f}"
            print(f"| `{task}` | {runtime} | {figures} | {apart:.1g} |")


def one(task: str, runtime: str, file: str) -> None:
    """In a process of its own."""
    at = Folders(task)
    network = load(runtime, at.search)
    test = Shards(at.shards / "test")
    outputs(network, InMemory(test.read(np.arange(1))))
    first = time.process_time()
    found = outputs(network, test)
    np.savez(file, **{name: each for name, each in found._asdict().items() if each is not None})
    batch = test.read(np.arange(min(BATCH, len(test))))
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        network.predict_on_batch(batch)
        times.append((time.process_time() - began) / len(batch))
    print(json.dumps({"first": first, "each": 1e3 * min(times), "memory": memory()}))


def load(runtime: str, folder: Path) -> Any:
    if runtime == "LiteRT":
        from stages.networks.lite import Lite

        return Lite(folder)
    import keras

    return keras.saving.load_model(folder / MODEL, compile=False)


def memory() -> float:
    """The most that this process has held, in MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1e3


if __name__ == "__main__":
    main()
