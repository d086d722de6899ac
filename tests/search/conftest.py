import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from stages.params.merge import load
from stages.records.faces import GEOMETRY, EyePlaces
from stages.records.params import Search
from stages.records.shards import Shards
from stages.records.weights import WEIGHTS, Weight, Weights
from stages.search.trial.blocks import FIRE
from stages.search.trial.plan import Plan
from stages.search.trial.target import Classification, Fine, Regression
from tests.params_yaml import complete, write_params

REPO = Path(__file__).resolve().parents[2]
SMALL = {
    "max_epochs": 2,
    "samples_per_epoch": 120,
    "batch_size": 24,
    "max_trials": 1,
    "blocks": ["vanilla"],
    "pretrained": False,
    "ensemble": 1,
    "fine": None,
}


def small(**changes) -> Search:
    params = load(REPO / "params.yaml").tasks["age"].search
    return Search.model_validate(params.model_dump() | SMALL | changes)


def plan(parts, n, pretrained_files=None, **changes) -> Plan:
    """A small search that tells `n` classes apart, with `changes` of its parameters."""
    train, val = parts[n]
    scratch = train.folder.parent / "features"
    return Plan(small(**changes), train, val, Classification(n), scratch, pretrained_files or {})


def regression(parts, n, pretrained_files=None, **changes) -> Plan:
    """The same of the values 20, 30, ... of the classes."""
    train, val = parts[n]
    scratch = train.folder.parent / "features"
    return Plan(small(**changes), train, val, Regression.of(train), scratch, pretrained_files or {})


def fine(parts, n, what, **changes) -> Plan:
    """The same of what is finer than `n` classes, `person` or `value`."""
    train, val = parts[n]
    bins = {f"class {k}": (15 + 10 * k, 24 + 10 * k) for k in range(n)}
    target = Fine.of_persons(train, n) if what == "person" else Fine.of_values(train, bins)
    scratch = train.folder.parent / "features"
    return Plan(small(fine=what, **changes), train, val, target, scratch)


def without_times(trials):
    keys = ("trial", "status", "hyperparameters", "score", "best_epoch", "parameters")
    return [{key: getattr(trial, key) for key in keys} for trial in trials]


def write_part(folder, n, n_classes, size, seed):
    """Pictures whose class is a bright stripe: learnt in seconds, nothing else to learn.

    Their values are 20, 30, ... for the first class, the second, ...; each class has two persons.
    """
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_classes
    images = rng.integers(0, 60, (n, size, size, 3)).astype(np.uint8)
    step = size // n_classes
    for image, label in zip(images, labels, strict=True):
        image[label * step : (label + 1) * step] += 120
    np.save(folder / "images-00000.npy", images[: n // 2])
    np.save(folder / "images-00001.npy", images[n // 2 :])
    np.save(folder / "labels.npy", labels.astype(np.int64))
    np.save(folder / "values.npy", (20 + 10 * labels).astype(np.float32))
    np.save(folder / "persons.npy", (np.arange(n) % (2 * n_classes)).astype(np.int32))
    rows = "".join(f"{i % (n // 4)},{i // (n // 4)}\n" for i in range(n))  # four copies of each
    (folder / "index.csv").write_text("id,copy\n" + rows)


@pytest.fixture(scope="session")
def parts(tmp_path_factory):
    """{n_classes: (train, val)}: shards of 24-px pictures."""
    import stages.search.search  # noqa: F401

    gc.collect()
    gc.freeze()  # as the stage does: KerasTuner collects garbage three times a trial
    root = tmp_path_factory.mktemp("parts")
    made = {}
    for k in (2, 3):
        write_part(root / str(k) / "train", 240, k, 24, seed=1)
        write_part(root / str(k) / "val", 60, k, 24, seed=2)
        made[k] = Shards(root / str(k) / "train"), Shards(root / str(k) / "val")
    return made


def shapes():
    """Keras-squeezenet's names of the convolutions, in its file's order, and their kernels."""
    yield "conv1", (3, 3, 3, 64)
    seen = 64
    for number, filters in enumerate(FIRE, start=2):
        yield f"fire{number}/squeeze1x1", (1, 1, seen, filters)
        yield f"fire{number}/expand1x1", (1, 1, filters, 4 * filters)
        yield f"fire{number}/expand3x3", (3, 3, filters, 4 * filters)
        seen = 8 * filters


@pytest.fixture(scope="session")
def imagenet_file(tmp_path_factory):
    """A file laid out as keras-squeezenet's, drawn at random; and its arrays by their names."""
    rng = np.random.default_rng(5)
    arrays = {
        name: (rng.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape), rng.normal(0, 0.1, shape[3]))
        for name, shape in shapes()
    }
    path = tmp_path_factory.mktemp("imagenet") / "squeezenet_notop.h5"
    with h5py.File(path, "w") as file:
        layers = [layer for name in arrays for layer in (name, f"{name}_relu")]
        file.attrs["layer_names"] = [name.encode() for name in ["input_1", *layers]]
        for layer in ["input_1", *layers]:
            group = file.create_group(layer)
            found = arrays.get(layer, ())
            names = [f"{layer}_{what}" for what in ("W", "b")[: len(found)]]
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, found, strict=True):
                group[name] = array.astype(np.float32)
    return path, arrays


class Stage:
    """A folder in which `python -m stages.search age` runs, as DVC would run it."""

    def __init__(self, path: Path, kind: str = "classification", **changes) -> None:
        self.path, self.kind = path, kind
        if not (path / "data").exists():
            write_part(path / "data/shards/age/train", 240, 4, 24, seed=1)
            write_part(path / "data/shards/age/val", 60, 4, 24, seed=2)
            GEOMETRY.write(path / "data/faces/age", EyePlaces(24, ((8.0, 11.0), (15.0, 11.0))))
            missing = Weight("none", None, None, "")
            WEIGHTS.write(path / "data/weights/age", Weights(missing, missing))
        self.set(**changes)

    def set(self, **changes) -> None:
        params = complete()
        params["tasks"]["age"]["search"] |= SMALL | changes
        params["tasks"]["age"]["kind"] = self.kind
        write_params(params, self.path)

    def start(self, *command: str, before: tuple[str, ...] = (), **environment) -> subprocess.Popen:
        """`before`: a command that runs this one, as `ip netns exec` does."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "KERAS"))}
        return subprocess.Popen(
            [*before, sys.executable, "-m", *(command or ("stages.search", "age"))],
            cwd=self.path,
            env=clean | {"PYTHONPATH": str(REPO)} | environment,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            # Whoever runs the tests in the background has Ctrl-C ignored; children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def run(self, *command: str, **environment) -> str:
        process = self.start(*command, **environment)
        said = process.communicate(timeout=300)[1]
        assert process.returncode == 0, said
        return said

    @property
    def scratch(self) -> Path:
        [scratch] = (self.path / ".search/age").iterdir()
        return scratch


@pytest.fixture
def stage(tmp_path):
    return lambda **changes: Stage(tmp_path, **changes)
