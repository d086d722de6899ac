"""A task of 64 drawn photos, built by the real stages up to the shards; what comes between them
and `promote` is written by hand, so that each test has the network and figures that it needs."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common import reuse
from stages.common.predict import class_probabilities, outputs
from stages.common.tables import read_table
from stages.records import calibration
from stages.records.calibration import Temperature
from stages.records.shards import Shards
from tests.params_yaml import alone, complete, write_params

REPO = Path(__file__).resolve().parents[2]
TASK = "tone"
CLASSES = {"cool": "쿨톤", "warm": "<b>웜톤</b>"}
CALIBRATION = Temperature(1.5)


_built: list[Path] = []


def shared(tmp_path_factory) -> Path:
    """A project up to its shards, built once a session; only copies of it are worked in."""
    if not _built:
        root = tmp_path_factory.mktemp("mini") / "project"
        with pytest.MonkeyPatch.context() as patch:
            build(root, patch)
        _built.append(root)
    return _built[0]


def build(root: Path, monkeypatch) -> None:
    """data/raw to data/shards in `root`, which becomes the working folder."""
    from stages.augment.__main__ import main as augment
    from stages.collect.__main__ import main as collect
    from stages.extract.__main__ import main as extract
    from stages.matte.__main__ import main as matte
    from stages.split.__main__ import main as split
    from stages.weights.__main__ import main as weights

    root.mkdir(exist_ok=True)
    monkeypatch.chdir(root)
    monkeypatch.setattr(reuse, "FEW", 1000)  # photos: to start processes would take longer
    task = complete()["tasks"]["tone"] | {"classes": CLASSES}
    task["collect"] |= {"path": "photos"}
    task["collect"]["sources"][0] |= {"people": 12, "photos": 2, "wild": 8, "size": 192}
    task["split"] |= {"test": 0.4}
    task["augment"] |= {"copies": 1, "size": 16}
    Path("photos").mkdir()
    write_params(alone(TASK, task))
    shutil.copy(REPO / "forgotten.csv", "forgotten.csv")
    for stage in (weights, collect, extract, matte, split, augment):
        stage(TASK)


def write_network(quality: float, search_id: str) -> None:
    """data/search, data/evaluate, data/baseline and reports: a network whose weights are those of a
    logistic regression that has learnt the exam by heart, mixed with noise: `quality` 1 knows it
    all, 0 nothing, -1 says the contrary."""
    import keras
    from sklearn.linear_model import LogisticRegression

    search = Path("data/search", TASK)
    shutil.rmtree(search, ignore_errors=True)
    search.mkdir(parents=True)
    parts = [Shards(Path("data/shards", TASK, part)) for part in ("train", "test", "wild")]
    labels = np.concatenate([part.labels for part in parts])
    pixels = np.concatenate([part.read(np.arange(len(part))) for part in parts]) / 255
    pixels = pixels.reshape(len(labels), -1)
    fit = LogisticRegression(C=100).fit(pixels, labels)
    noise = np.random.default_rng(int(search_id, 16)).normal(0, fit.coef_.std(), fit.coef_.shape)
    kernel = quality * fit.coef_ + (1 - abs(quality)) * noise
    bias = -(pixels @ kernel.T).mean()
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Sequential(
        [keras.Input((16, 16, 3), dtype="uint8"), keras.layers.Rescaling(1 / 255)]
        + [keras.layers.Flatten(), dense]
    )
    dense.set_weights([np.stack([0 * kernel[0], kernel[0]], 1), np.array([0, bias])])
    model.save(search / "model.keras")
    write(search / "classes.json", CLASSES)
    write(search / "trials.json", trials(search_id))
    evaluate(model)
    baselines()


def evaluate(model) -> None:
    """What `stages.evaluate` writes, as far as `promote` reads it."""
    from stages.promote.answers import from_table

    folder = Path("data/evaluate", TASK)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    splits = read_table(Path("data/splits", TASK, "splits.csv"))
    names = np.array(list(CLASSES), dtype=object)
    tables, parts = [], {}
    for part in ("val", "test", "wild"):
        shards = Shards(Path("data/shards", TASK, part))
        found = class_probabilities(outputs(model, shards), CALIBRATION)
        table = pd.DataFrame({"id": shards.index()["id"], "part": part})
        table["label"], table["predicted"] = names[shards.labels], names[found.argmax(1)]
        tables.append(table.assign(**{f"p_{n}": found[:, k] for k, n in enumerate(CLASSES)}))
        measured = from_table(tables[-1], list(CLASSES), splits.set_index("id")["group"]).metrics()
        parts[part] = result(measured["n"], measured["balanced_accuracy"])
    pd.concat(tables).to_csv(folder / "predictions.csv", index=False, float_format="%.6g")
    calibration.CALIBRATION.write(folder, CALIBRATION)
    about = {"kind": "classification", "ordered": False}
    about |= {"calibration": {"kind": "classification", "temperature": 1.5, "note": None}}
    write(folder / "evaluation.json", {"classes": CLASSES, **about, "parts": parts})
    Path("reports", TASK).mkdir(parents=True, exist_ok=True)
    write(Path("reports", TASK, "metrics.json"), {"test": {"accuracy": 0.75, "n": 8}})


def result(n: int = 20, balanced: float = 0.8, ece: float = 0.1, slices: tuple = ()) -> dict:
    """One part of evaluation.json."""
    interval = {"balanced_accuracy": [balanced - 0.1, balanced + 0.1], "ece": [0.05, 0.2]}
    return {
        "n": n, "accuracy": balanced, "balanced_accuracy": balanced, "log_loss": 0.5, "ece": ece,
        "baseline_accuracy": 0.5, "intervals": interval, "slices": list(slices),
        "unsure": {"threshold": 0.6, "coverage": 0.9, "accuracy": 0.85, "n": 18},
        "explanations": {"n": n, "inside": 0.71, "area": 0.4},
    }  # fmt: skip


def baselines() -> None:
    """data/baseline: one that names the first class, and one that failed."""
    folder = Path("data/baseline", TASK)
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(f"data/evaluate/{TASK}/predictions.csv", dtype={"id": str})
    first = next(iter(CLASSES))
    table = table.assign(model="majority", predicted=first)
    table = table.assign(**{f"p_{name}": float(name == first) for name in CLASSES})
    table.iloc[::-1].to_csv(folder / "predictions.csv", index=False)  # in whatever order
    about = {"about": "", "seconds": 1.5, "hyperparameters": {}, "epochs": []}
    about |= {"started_ms": 0, "ended_ms": 1500, "error": None}
    write(
        folder / "baselines.json",
        [
            {"name": "majority", "kind": "majority", "parameters": None, "weights": "none"} | about,
            about
            | {"name": "tone_vgg", "kind": "network", "parameters": 9, "weights": "ImageNet"}
            | {"error": "ValueError: too large"},
        ],
    )


def trial(number: int, status: str = "COMPLETED", score: float | None = 0.5) -> dict:
    return {
        "trial": number, "attempt": 1, "status": status, "hyperparameters": {"filters": "16-32"},
        "score": score, "best_epoch": 1, "seconds": 2.5, "parameters": 1234,
        "batch_size": 32, "memory_mb": 900.0,
        "epochs": [{"epoch": e, "time_ms": 1000 + e, "val_loss": 1.0 - e / 4} for e in range(2)],
        "error": "" if status == "COMPLETED" else "Traceback ...\nValueError: too large",
        "started_ms": 1000, "ended_ms": 3500,
    }  # fmt: skip


def trials(search_id: str) -> dict:
    return {
        "search_id": search_id, "objective": "val_loss", "best": 0, "params": {"seed": 1},
        "data": [{"path": "data/shards/tone/train", "md5": f"{search_id}.dir", "rows": 8,
                  "context": "training"}],
        "earlier": [], "final_fit": None, "kind": "classification",
        "trials": [trial(0), trial(1, "FAILED", None)],
    }  # fmt: skip


def write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
