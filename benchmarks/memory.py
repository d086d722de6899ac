"""python -m benchmarks.memory: how much memory a search takes, ours beside stock AutoKeras.

First the same search on more and more pictures of 200 x 200, grey, each in a fresh process: the
most that it ever held, as the system reports it. Stock AutoKeras may take 12 GB and five minutes.
Then a search of 30 trials: the most that the process of each trial held.
"""

import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from stages.records import shards
from stages.records.folders import Folders
from tests.params_yaml import complete, write_params

COUNTS = (1_000, 10_000, 90_100)
TRIALS = 30
LIMIT, SECONDS = 12 << 30, 300  # of stock AutoKeras


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        print(f"{'pictures of 200x200 grey':>28}{'on disk, MB':>14}{'ours, MB':>12}  stock, MB")
        write(root / "val", 200, 200, 1)
        for count in COUNTS:
            write(root / "train", count, 200, 1)
            disk = sum(file.stat().st_size for file in (root / "train").iterdir()) >> 20
            ours, _ = peak("ours", root)
            stock, end = peak("stock", root)
            print(f"{count:28,}{disk:14,}{ours:12,}  {stock:,} ({end})", flush=True)
        print("\nthe most that the process of a trial has held, MB")
        for number, memory in many_trials(root / "project"):
            print(f"{f'trial {number}':>28}{memory:14,.0f}")


def write(folder: Path, count: int, size: int, channels: int) -> None:
    """Noise, with a class-coloured stripe."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    shards.create(folder, (count, size, size, channels))
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 4
    block = rng.integers(0, 99, (500, size, size, channels), np.uint8)
    with shards.Writer(folder) as out:
        for start in range(0, count, len(block)):
            pictures = block[: count - start].copy()
            for picture, label in zip(pictures, labels[start:], strict=False):
                picture[label * size // 4 : (label + 1) * size // 4] += 120
            out.write(start, pictures)
    np.save(folder / "labels.npy", labels.astype(np.int64))


def peak(way: str, root: Path) -> tuple[int, str]:
    """The most a fresh process held (MB), and how it ended."""
    command = [sys.executable, "-m", "benchmarks.memory", way, str(root)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, status, usage = os.wait4(process.pid, 0)
    assert process.stderr is not None
    said = process.stderr.read().decode()
    code = os.waitstatus_to_exitcode(status)
    memory = usage.ru_maxrss >> 10
    if code == 0:
        return memory, "ended"
    if way == "ours":
        raise RuntimeError(said)
    return memory, "out of time" if code == -14 else f"died: {said.strip().splitlines()[-1][:60]}"


def search_once(root: Path) -> None:
    from stages.params.merge import load
    from stages.search.search import search
    from stages.search.trial.plan import Plan
    from stages.search.trial.target import Classification

    train, val = shards.Shards(root / "train"), shards.Shards(root / "val")
    params = load().tasks["idol"].search
    params = params.model_copy(update=BRIEF | {"max_trials": 1})
    with tempfile.TemporaryDirectory() as scratch:
        search(
            Plan(params, train, val, Classification(4), root / "features"), Path(scratch) / "search"
        )


BRIEF = {"max_epochs": 2, "samples_per_epoch": 1000, "blocks": ["vanilla"]}


def stock_once(root: Path) -> None:
    from benchmarks.stock import classifier

    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    signal.alarm(SECONDS)
    x, y = (whole(root / "train"), np.load(root / "train/labels.npy"))
    val = whole(root / "val"), np.load(root / "val/labels.npy")
    with tempfile.TemporaryDirectory() as scratch:
        search = classifier(max_trials=1, directory=scratch)
        search.fit(x, y, validation_data=val, epochs=1, verbose=0)


def whole(folder: Path) -> np.ndarray:
    part = shards.Shards(folder)
    return part.read(np.arange(len(part)))


def many_trials(root: Path) -> list[tuple[int, float]]:
    """(number, MB) of some of the trials of a search as `dvc repro` runs it."""
    from stages.records import attempts

    at = Folders("age", root)
    for part, count in (("train", 600), ("val", 100)):
        at.shards.mkdir(parents=True, exist_ok=True)
        write(at.shards / part, count, 64, 3)
    params = complete()
    brief = {"max_trials": TRIALS, "max_epochs": 2, "samples_per_epoch": 600, "pretrained": False}
    params["tasks"]["age"]["search"] |= brief
    write_params(params, root)
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-m", "stages.search", "age"]
    subprocess.run(command, cwd=root, env=environment, check=True, stderr=subprocess.DEVNULL)
    [scratch] = at.searches.iterdir()
    found = [(each.trial + 1, each.memory_mb or 0.0) for each in attempts.read(scratch)]
    most = max(found[3:], key=lambda pair: pair[1])
    return [found[0], found[2], found[9], found[19], found[29], most]


if __name__ == "__main__":
    if len(sys.argv) == 3:
        {"ours": search_once, "stock": stock_once}[sys.argv[1]](Path(sys.argv[2]))
    else:
        main()
