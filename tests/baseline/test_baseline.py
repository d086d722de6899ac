"""The stage: what it writes, what it does again after which edit, and after which failure."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.baseline import __main__ as stage
from stages.baseline import baseline, systems
from stages.common.closure import closure
from stages.common.errors import UserError
from stages.records.folders import Folders
from tests.baseline.conftest import write_weights
from tests.params_yaml import alone, complete, read_params, write_params

pytestmark = pytest.mark.slow  # networks are trained

REPO = Path(__file__).parents[2]
TASK = "pets"
CLASSES = {"fox": "Fox", "곰": "Bear", "owl": "Owl"}
PHOTOS = {"train": 30, "val": 60, "test": 24, "wild": 0}
NAMES = ("majority", "hog", "age_cnn", "idol_dnn")


def write_part(folder, photos, copies, seed):
    """32-px pictures whose class is a bright stripe in the middle; copy by copy, as `augment`."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(photos) % 3, copies)
    images = rng.integers(0, 60, (len(labels), 32, 32, 3)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[9 + label * 5 : 14 + label * 5] += 120
    np.save(folder / "images-00000.npy", images)
    np.save(folder / "labels.npy", labels.astype(np.int64))
    rows = [f"{i % photos:016x},{i // photos}\n" for i in range(len(labels))]
    (folder / "index.csv").write_text("id,copy\n" + "".join(rows))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project whose baselines have been fitted."""
    root = tmp_path_factory.mktemp("project")
    for seed, (part, photos) in enumerate(PHOTOS.items()):
        folder = root / "data/shards" / TASK / part
        write_part(folder, photos, 4 if part == "train" else 1, seed)
    task = complete()["tasks"]["harry"] | {"classes": CLASSES}
    budget = {"epochs": 2, "batch_size": 20, "samples_per_epoch": 100}
    task["baseline"] = {
        "classical": "hog",
        "networks": [{"name": name} | budget for name in NAMES[2:]],
        "seed": 1,
    }
    write_params(alone(TASK, task), root)
    write_weights(Folders(TASK, root).weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        stage.main(TASK)
    return root


@pytest.fixture
def project(finished, tmp_path, monkeypatch):
    """A copy of it, as the working directory."""
    monkeypatch.chdir(shutil.copytree(finished, tmp_path / "copy"))
    return Path.cwd()


@pytest.fixture
def ran(project, monkeypatch):
    """Run the stage; the names of the baselines that it fitted anew."""
    fit, fitted = baseline._fit, []

    def noted(system, *rest):
        fitted.append(system.name)
        return fit(system, *rest)

    monkeypatch.setattr(baseline, "_fit", noted)

    def run():
        fitted.clear()
        stage.main(TASK)
        return fitted

    return run


def written():
    folder = Path("data/baseline", TASK)
    return (
        json.loads((folder / "baselines.json").read_text(encoding="utf-8")),
        pd.read_csv(folder / "predictions.csv"),
    )


def edit(change):
    params = read_params()
    change(params["tasks"][TASK]["baseline"])
    write_params(params)


def test_what_is_written(project):
    records, table = written()
    assert [(r["name"], r["kind"], r["weights"]) for r in records] == [
        ("majority", "majority", "none"),
        ("hog", "classical", "none"),
        ("age_cnn", "network", "from scratch"),
        ("idol_dnn", "network", "from scratch"),
    ]
    for record in records:
        assert record["error"] is None
        assert record["started_ms"] <= record["ended_ms"]
        rows = table[table.model == record["name"]]
        assert rows.part.value_counts().to_dict() == {"val": 60, "test": 24}
        shares = rows[[f"p_{name}" for name in CLASSES]].to_numpy()
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-4)
        assert list(rows.predicted) == [list(CLASSES)[k] for k in shares.argmax(1)]
    network = records[2]
    assert [row["epoch"] for row in network["epochs"]] == [0, 1]
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(network["epochs"][0])
    assert network["hyperparameters"]["samples_per_epoch"] == 100
    hog = table[table.model == "hog"]
    assert (hog.label == hog.predicted).mean() > 0.9  # the stripe is an edge
    # The last epoch's answers are the ones that count.
    rows = table[(table.model == "age_cnn") & (table.part == "val")]
    accuracy = (rows.label == rows.predicted).mean()
    assert accuracy == pytest.approx(network["epochs"][-1]["val_accuracy"], abs=1e-6)


def test_nothing_changed(ran):
    before = written()[0]
    assert ran() == []
    assert written()[0] == before


def test_parameters_of_one(ran):
    edit(lambda own: own["networks"][1].update(epochs=1))
    assert ran() == ["idol_dnn"]
    edit(lambda own: own.update(classical="lab"))
    assert ran() == ["lab"]
    edit(lambda own: own.update(classical="hog"))
    assert ran() == []  # it was there before
    edit(lambda own: own.update(seed=2))
    assert ran() == ["age_cnn", "idol_dnn"]  # the others leave nothing to chance


@pytest.mark.parametrize(
    ("module", "again"),
    [
        ("baseline/majority", ["majority"]),
        ("baseline/linear", ["hog"]),
        ("networks/edges", ["hog"]),
        ("networks/resample", ["hog"]),
        ("networks/colour", []),
        ("baseline/network", ["age_cnn", "idol_dnn"]),
        ("baseline/networks", ["age_cnn", "idol_dnn"]),
        ("baseline/system", list(NAMES)),
    ],
)
def test_code(ran, monkeypatch, tmp_path, module, again):
    edited = tmp_path / "stages" / f"{module}.py"
    edited.parent.mkdir(parents=True)
    edited.write_text("changed")

    def files(*modules):
        found = closure(*modules)
        return [edited if path.parts[-3:] == edited.parts[-3:] else path for path in found]

    monkeypatch.setattr(baseline, "closure", files)
    assert ran() == again


def test_libraries(ran, monkeypatch):
    other = replace(systems._classical("hog"), packages=("scikit-learn", "scipy"))
    monkeypatch.setattr(systems, "_classical", lambda name: other)
    assert ran() == ["hog"]


@pytest.mark.parametrize("part", ["train", "wild"])
def test_data(ran, part):
    with Path("data/shards", TASK, part, "index.csv").open("a") as file:
        file.write("\n")
    assert ran() == list(NAMES)


def test_one_that_fails_is_told_and_stops_no_other(ran, monkeypatch, caplog):
    from stages.baseline.networks import NETWORKS

    def out_of_memory(*shape):
        raise MemoryError("no room")

    edit(lambda own: own["networks"][0].update(epochs=1))
    with monkeypatch.context() as patch:
        patch.setitem(NETWORKS, "age_cnn", replace(NETWORKS["age_cnn"], build=out_of_memory))
        assert ran() == ["age_cnn"]
    records, table = written()
    assert [r["error"] for r in records] == [None, None, "MemoryError: no room", None]
    assert "age_cnn failed: MemoryError: no room" in caplog.text
    assert set(table.model) == {"majority", "hog", "idol_dnn"}
    assert ran() == ["age_cnn"]  # once more
    assert written()[0][2]["error"] is None


def test_a_network_that_diverges_fails(ran, monkeypatch):
    import keras

    from stages.baseline.networks import NETWORKS

    def explosive(*shape):
        model = build(*shape)
        model.compile(keras.optimizers.SGD(1e30), model.loss, metrics=["accuracy"])
        return model

    build = NETWORKS["age_cnn"].build
    monkeypatch.setitem(NETWORKS, "age_cnn", replace(NETWORKS["age_cnn"], build=explosive))
    edit(lambda own: own["networks"][0].update(batch_size=10))
    ran()
    assert "not a number in epoch 1" in written()[0][2]["error"]


def test_when_all_fail_there_is_no_result(ran, monkeypatch):
    from stages.baseline.networks import NETWORKS

    def broken(*job):
        raise RuntimeError("broken")

    hog = replace(systems._classical("hog"), fit=broken)
    monkeypatch.setattr(systems, "_classical", lambda name: hog)
    for name in NAMES[2:]:
        monkeypatch.setitem(NETWORKS, name, replace(NETWORKS[name], build=broken))
    shutil.rmtree(".cache")
    before = written()[0]
    with pytest.raises(UserError, match="idol_dnn: RuntimeError: broken"):
        ran()
    assert written()[0] == before


def test_a_network_named_twice_is_refused(ran):
    edit(lambda own: own.update(networks=[own["networks"][0]] * 2))
    with pytest.raises(UserError, match="has age_cnn twice"):
        ran()


# The stage in a process that kills itself: in an epoch, or between two files of a result
KILLED = """
import os, signal, sys
from stages.common.backend import import_keras
import_keras()
from stages.baseline import __main__ as stage, baseline, network
moment, task = sys.argv[1:]
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
class Np:
    def __getattr__(self, name):
        return getattr(np, name)
    def savez(self, path, **arrays):
        np.savez(path, **arrays)
        if moment == "writing" and "val" in arrays and os.listdir(os.path.dirname(path) + "/.."):
            saved.append(path)
            if len(saved) == 3:
                die()
np, saved, baseline.np = baseline.np, [], Np()
if moment == "training":
    real = network.math.isfinite
    seen = []
    network.math.isfinite = lambda x: (seen.append(x), len(seen) > 5 and die(), real(x))[2]
stage.main(task)
"""


@pytest.mark.parametrize("moment", ["training", "writing"])
def test_killed_in_the_middle(project, ran, moment):
    shutil.rmtree(".cache")
    out = Path("data/baseline", TASK, "predictions.csv")
    before = hashlib.sha256(out.read_bytes()).hexdigest()
    shutil.rmtree("data/baseline")
    command = [sys.executable, "-c", KILLED, moment, TASK]
    env = os.environ | {"PYTHONPATH": str(REPO)}
    done = subprocess.run(command, env=env, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr[-2000:]
    assert not out.exists()
    assert ran() == ["age_cnn", "idol_dnn"]  # what had ended before is kept
    assert hashlib.sha256(out.read_bytes()).hexdigest() == before
    assert not [*Path("data").rglob(".*.part"), *Path(".cache").rglob(".*.part")]
