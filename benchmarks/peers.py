"""python -m benchmarks.peers age --weights FOLDER: would anybody switch? All systems in one table.

Every system learns from the shards that `dvc repro augment@age` has put into this folder,
may choose by val, and answers the same test and wild photos once, in a process of its own:

- the most frequent class, linear models on edges (HOG) and on colours (Lab), the original networks;
- a network trained on ImageNet, frozen, with a linear model on top, as Teachable Machine does it:
  `FOLDER` holds its weights, as their authors publish them;
- stock AutoKeras and, where it is installed, AutoGluon, with the longest of the `--minutes`;
- our search and exam, with each of the `--minutes`.

The rows are Markdown. Confidence is calibrated on val, by the same temperature scaling for all.
Intervals (95 %) are over groups of photos: persons, or copies of one shot. Seconds: from the first
to the last thing that a system learns, without the start of Python.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import ITIMER_REAL, SIGALRM, setitimer, signal
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from stages.baseline.system import JUDGED, Job
from stages.common.backend import import_keras
from stages.common.images import write_png
from stages.networks.calibrate import fit_temperature
from stages.networks.metrics import intervals, scores
from stages.networks.part import Part, load_parts
from stages.networks.predict import class_probabilities
from stages.records import params as schema
from stages.records.folders import Folders
from stages.records.params import PARTS
from stages.records.predictions import PREDICTIONS
from stages.records.shards import Shards
from stages.records.splits import EXAMS
from stages.records.weights import WEIGHTS

if TYPE_CHECKING:
    import keras

SIDE = 224  # pixels a side that networks for ImageNet were trained with
SQUEEZENET = "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"
MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"


class Unavailable(Exception):
    """Why a system has no answers."""


@dataclass(frozen=True)
class Setting:
    """What a system is given. A relative path starts in the working folder."""

    task: str
    weights: Path | None  # a folder of ImageNet weights

    @property
    def at(self) -> Folders:
        return Folders(self.task)

    @property
    def params(self) -> schema.Task:
        return schema.read(self.task)

    def job(self, pretrained: Path | None = None) -> Job:
        parts = {part: Shards(self.at.shards / part) for part in PARTS}
        return Job(parts, len(self.params.classes), self.params.baseline.seed, pretrained)


@dataclass(frozen=True)
class Answers:
    """Of one system."""

    probabilities: dict[str, np.ndarray]  # part -> float (N, K)
    numbers: dict[str, np.ndarray]  # part -> float (N,), such as ages; empty if it tells none
    seconds: float
    calibrated: bool = False


System = Callable[[Setting], Answers]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers")
    parser.add_argument("task", help="its stages up to `augment` have run")
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0, 20.0])
    parser.add_argument("--weights", type=Path, help="a folder with files of ImageNet weights")
    parser.add_argument("--only", nargs="+", help="these systems alone")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)  # a file for one's answers
    given = parser.parse_args()
    setting = Setting(given.task, given.weights)
    known = systems(setting.params, given.minutes)
    chosen = given.only or list(known)
    if unknown := sorted(set(chosen) - set(known)):
        parser.error(f"no system {unknown[0]!r}; there are: {', '.join(known)}")
    if given.answer:
        answer(known[chosen[0]], setting, given.answer)
    else:
        table(setting, chosen)


def systems(params: schema.Task, minutes: list[float]) -> dict[str, System]:
    """All that there are for a task, by name, the quick ones first."""
    if params.kind == "regression":
        raise SystemExit("kind: regression has no peers here; take a task with classes")
    originals = [network.name for network in params.baseline.networks]
    longest = max(minutes)
    return {
        **{name: partial(baseline, name=name) for name in ("majority", "hog", "lab", *originals)},
        "SqueezeNet, frozen": partial(frozen, file=SQUEEZENET, build=squeezenet),
        "MobileNetV2, frozen": partial(frozen, file=MOBILENET, build=mobilenet),
        f"AutoGluon, {longest:g} min": partial(autogluon, minutes=longest),
        f"stock AutoKeras, {longest:g} min": partial(stock, minutes=longest),
        **{f"ours, {each:g} min": partial(ours, minutes=each) for each in sorted(minutes)},
    }


def table(setting: Setting, names: list[str]) -> None:
    """Print a row for each system, as soon as it has answered."""
    parts = {part.name: part for part in load_parts(setting.at)}
    train = Shards(setting.at.shards / "train")
    test, wild = (len(parts[part].ids) for part in EXAMS)
    print(
        f"`{setting.task}`: {len(train):,} pictures of {_originals(train).sum()} photos to learn "
        f"from; {test} photos in test, {wild} in wild.\n"
    )
    print("| system | balanced accuracy, test | wild | log loss, test | off by, test | s |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    for name in names:
        print(f"{name} ...", file=sys.stderr, flush=True)
        print(f"| {name} | " + " | ".join(_row(name, setting, parts)) + " |", flush=True)


def _row(name: str, setting: Setting, parts: dict[str, Part]) -> list[str]:
    """The cells after the system's name."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answers.npz"
        command = [sys.executable, "-m", "benchmarks.peers", *sys.argv[1:]]
        done = subprocess.run([*command, "--only", name, "--answer", str(file)], check=False)
        if not file.exists():
            return [f"ended with status {done.returncode}", *[""] * 4]
        found = dict(np.load(file))
    if "why" in found:
        return [str(found["why"]), *[""] * 4]
    cells = [_share(parts[part], found.get(part)) for part in EXAMS]
    test = parts["test"]
    loss = scores(test.labels, found["test"])["log_loss"]
    off = ""
    if "numbers_test" in found:
        known = np.isfinite(test.values)
        off = f"{np.abs(test.values - found['numbers_test'])[known].mean():.2f}"
    return [*cells, f"{loss:.3f}", off, f"{float(found['seconds']):.0f}"]


def _share(part: Part, probabilities: np.ndarray | None) -> str:
    if probabilities is None or not len(part.ids):
        return ""
    value = scores(part.labels, probabilities)["balanced_accuracy"]
    low, high = intervals(part.labels, probabilities, part.groups)["balanced_accuracy"]
    return f"{value:.3f} ({low:.2f} to {high:.2f})"


def answer(system: System, setting: Setting, file: Path) -> None:
    """Write what `system` answers, or `why` it cannot."""
    try:
        found = system(setting)
    except Unavailable as why:
        np.savez(file, why=np.array(str(why)))
        return
    probabilities = found.probabilities
    if not found.calibrated:
        val = Shards(setting.at.shards / "val")
        temperature = fit_temperature(probabilities["val"], val.labels)
        probabilities = {
            part: class_probabilities(raw, temperature) for part, raw in probabilities.items()
        }
    numbers = {f"numbers_{part}": each for part, each in found.numbers.items()}
    everything = {"seconds": np.array(found.seconds), **probabilities, **numbers}
    np.savez(file, allow_pickle=False, **everything)


def baseline(setting: Setting, name: str) -> Answers:
    from stages.baseline.systems import systems as of_task

    params = setting.params.baseline
    if name in ("hog", "lab"):
        params = params.model_copy(update={"classical": name})
    chosen = next(each for each in of_task(params) if each.name == name)
    wanted = chosen.budget.starts_from if chosen.budget else None
    files = WEIGHTS.read(setting.at.weights).pretrained_files(setting.at.weights)
    job = setting.job(files.get(wanted) if wanted else None)
    start = time.perf_counter()
    found = chosen.fit(job)
    return Answers(found.probabilities, {}, time.perf_counter() - start)


def frozen(setting: Setting, file: str, build: Callable[[Any, Path], Any]) -> Answers:
    """A linear model on what a network says of each picture as it is."""
    path = setting.weights and setting.weights / file
    if not path or not path.is_file():
        raise Unavailable(f"no {file} in --weights")
    keras = import_keras()
    from stages.baseline import linear
    from stages.networks.channels import rgb

    def describe(pixels: Any) -> Any:
        return build(rgb(keras.layers.Resizing(SIDE, SIDE)(pixels)), path)

    job = setting.job()
    start = time.perf_counter()
    found = linear.fit(job, describe, file)
    return Answers(found.probabilities, {}, time.perf_counter() - start)


def squeezenet(pixels: Any, path: Path) -> Any:
    """RGB pictures, 0 to 255 -> (N, 512), what SqueezeNet 1.1 says of them."""
    import keras_tuner

    from stages.search.trial.blocks import SqueezeNetBlock

    hp = keras_tuner.HyperParameters()
    hp.values = {"frozen/pretrained": True, "frozen/frozen": 25}
    return SqueezeNetBlock(path, name="frozen").build(hp, pixels)


def mobilenet(pixels: Any, path: Path) -> Any:
    """RGB pictures, 0 to 255 -> (N, 1280), what MobileNetV2 says of them."""
    keras = import_keras()
    network = keras.applications.MobileNetV2(
        input_shape=(SIDE, SIDE, 3), include_top=False, weights=str(path), pooling="avg"
    )
    return network(keras.layers.Rescaling(1 / 127.5, offset=-1)(pixels))


class _Over(BaseException):
    """The time is over. Not an Exception, because KerasTuner catches those."""


def stock(setting: Setting, minutes: float) -> Answers:
    """AutoKeras with its own search space, and all the memory it wants.

    At each epoch that is its best so far its answers are noted, so that being stopped in the middle
    of a trial costs it nothing.
    """
    import_keras()
    from benchmarks.stock import StockTuner, classifier

    shards = {part: Shards(setting.at.shards / part) for part in PARTS}
    found: dict[str, np.ndarray] = {}
    least = float("inf")

    class Watched(StockTuner):
        def on_epoch_end(self, trial: Any, model: "keras.Model", epoch: int, logs: dict) -> None:
            nonlocal least
            super().on_epoch_end(trial, model, epoch, logs=logs)
            print(f"trial {trial.trial_id}, epoch {epoch}: {logs}", file=sys.stderr)
            if logs["val_loss"] < least:
                now = {part: model.predict(x[part], verbose=0) for part in JUDGED if len(x[part])}
                least = logs["val_loss"]
                found.update(now)

    def over(*_: object) -> None:
        raise _Over

    signal(SIGALRM, over)
    start = time.perf_counter()
    setitimer(ITIMER_REAL, 60 * minutes)
    x = {part: each.read(np.arange(len(each))) for part, each in shards.items()}
    y = {part: each.labels for part, each in shards.items()}
    try:
        with tempfile.TemporaryDirectory() as scratch:
            search = classifier(Watched, max_trials=1000, directory=scratch)
            data = {"validation_data": (x["val"], y["val"]), "verbose": 0}
            search.fit(x["train"], y["train"], **data)
    except _Over:
        pass
    setitimer(ITIMER_REAL, 0)
    if not found:
        raise Unavailable(f"no epoch ended in {minutes:g} minutes")
    return Answers(found, {}, time.perf_counter() - start)


def autogluon(setting: Setting, minutes: float) -> Answers:
    """AutoGluon's MultiModalPredictor with its defaults, on the pictures as they are."""
    if not importlib.util.find_spec("autogluon") or not importlib.util.find_spec(
        "autogluon.multimodal"
    ):
        raise Unavailable("not installed")
    import pandas as pd
    from autogluon.multimodal import MultiModalPredictor  # pyright: ignore[reportMissingImports]

    with tempfile.TemporaryDirectory() as name:
        tables = {}
        for part in PARTS:
            shards = Shards(setting.at.shards / part)
            rows = np.flatnonzero(_originals(shards))
            files = [Path(name) / f"{part}{row}.png" for row in rows]
            for row, file in zip(rows, files, strict=True):
                write_png(file, shards.read(np.array([row]))[0])
            labels = shards.labels[rows]
            tables[part] = pd.DataFrame({"image": list(map(str, files)), "label": labels})
        start = time.perf_counter()
        kind = "multiclass" if len(setting.params.classes) > 2 else "binary"
        predictor = MultiModalPredictor(label="label", problem_type=kind, path=f"{name}/model")
        data = {"tuning_data": tables["val"], "time_limit": 60 * minutes}
        predictor.fit(tables["train"], **data)
        seconds = time.perf_counter() - start
        found = {
            part: predictor.predict_proba(tables[part].drop(columns="label"), as_pandas=False)
            for part in JUDGED
            if len(tables[part])
        }
    return Answers(found, {}, seconds)


def ours(setting: Setting, minutes: float) -> Answers:
    """The stages `search` and `evaluate`, in a folder of their own."""
    with tempfile.TemporaryDirectory() as name:
        at = Folders(setting.task, Path(name))
        for stage in ("weights", "raw", "faces", "mattes", "splits", "shards"):
            at.data(stage).parent.mkdir(parents=True)
            at.data(stage).symlink_to(setting.at.data(stage).resolve())
        file = schema.FOLDER / f"{setting.task}.yaml"
        params = yaml.safe_load(file.read_text("utf-8"))
        params["search"] |= {"max_trials": 1000, "max_minutes": minutes}
        (at.root / file).parent.mkdir()
        (at.root / file).write_text(yaml.safe_dump(params, sort_keys=False), "utf-8")
        start = time.perf_counter()
        _stage("search", at)
        seconds = time.perf_counter() - start
        _stage("evaluate", at)
        rows = PREDICTIONS.read(at.evaluate)
    of_part = {part: [row for row in rows if row.part == part] for part in EXAMS}
    probabilities = {
        part: np.array([[row.probabilities[each] for each in params["classes"]] for row in found])
        for part, found in of_part.items()
        if found
    }
    numbers = {
        part: np.array([row.predicted_value for row in found], float)
        for part, found in of_part.items()
        if found and found[0].predicted_value is not None
    }
    return Answers(probabilities, numbers, seconds, calibrated=True)


def _stage(name: str, at: Folders) -> None:
    """Run a stage there; its MLflow runs stay there, too."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    environment["PYTHONPATH"] = str(Path.cwd())
    command = [sys.executable, "-m", f"stages.{name}", at.task]
    subprocess.run(command, cwd=at.root, env=environment, check=True)


def _originals(shards: Shards) -> np.ndarray:
    """bool (N,): which pictures are photos as they are, not copies."""
    return shards.index()["copy"].to_numpy() == 0


if __name__ == "__main__":
    main()
