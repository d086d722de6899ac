"""The whole stage, on networks saved to disk whose answers are known."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from stages.common import shards
from stages.common.params import load
from stages.common.tables import read_table
from stages.evaluate.__main__ import main

TRIALS = {
    "search_id": "s",
    "objective": "val_loss",
    "best": 0,
    "final_fit": None,
    "trials": [
        {
            "trial": 0,
            "epochs": [
                {"epoch": 0, "time_ms": 1, "loss": 2.0, "val_loss": 1.5, "accuracy": 0.5,
                 "val_accuracy": 0.25},
            ],
        }
    ],
}  # fmt: skip
CLASSES = {"age": ["minor", "young", "middle", "senior"], "tone": ["cool", "warm"]}


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def one_colour_network(keras, head):
    """Sees the mean brightness b in 0..1. Sigmoid: class 1 if b > 0.5. Softmax: b in quarters."""
    inputs = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    layer = keras.layers.Dense(head, activation="sigmoid" if head == 1 else "softmax")
    model = keras.Model(inputs, layer(mean))
    if head == 1:
        layer.set_weights([np.full((3, 1), 10.0), np.array([-15.0])])
    else:  # logit k = 200 (b c_k - c_k**2 / 2): largest for the centre c_k that is nearest to b
        centres = (np.arange(head) + 0.5) / head
        layer.set_weights([np.tile(200 * centres / 3, (3, 1)), -200 * centres**2 / 2])
    return model


def write_part(folder, labels, levels):
    folder.mkdir(parents=True)
    shards.create(folder, (len(labels), 8, 8, 3))
    pictures = np.stack([np.full((8, 8, 3), v, np.uint8) for v in levels]) if len(levels) else []
    with shards.Writer(folder) as writer:
        writer.write(0, pictures)
    np.save(folder / "labels.npy", np.array(labels, np.int64))
    rows = "".join(f"{i:016},0\n" for i in range(len(labels)))
    (folder / "index.csv").write_text("id,copy\n" + rows)


@pytest.fixture
def project(tmp_path, monkeypatch, keras):
    """A function that lays out a task's files; the network answers by brightness."""
    params = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)

    def lay_out(task, parts):
        classes = CLASSES[task]
        params["tasks"][task]["classes"] = {name: name.upper() for name in classes}
        (tmp_path / "params.yaml").write_text(
            yaml.safe_dump(params, sort_keys=False), encoding="utf-8"
        )
        search = tmp_path / "data/search" / task
        search.mkdir(parents=True)
        head = 1 if len(classes) == 2 else len(classes)
        one_colour_network(keras, head).save(search / "model.keras")
        (search / "trials.json").write_text(json.dumps(TRIALS))
        titles = load().task(task).classes
        (search / "classes.json").write_text(json.dumps(titles))
        for part, (labels, levels) in parts.items():
            write_part(tmp_path / "data/shards" / task / part, labels, levels)

    return lay_out


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def test_a_softmax_network_end_to_end(project):
    wrong = [0, 1, 2, 0], [30, 100, 160, 220]  # the last is bright: senior, but said to be minor
    project("age", {"val": ([3], [220]), "test": wrong, "wild": ([], [])})
    main("age")
    metrics = read_json("reports/age/metrics.json")
    assert metrics["test"]["n"] == 4
    assert metrics["test"]["accuracy"] == 0.75
    assert metrics["test"]["recall"] == {"minor": 0.5, "young": 1, "middle": 1, "senior": None}
    assert metrics["wild"]["n"] == 0 and metrics["wild"]["accuracy"] is None
    evaluation = read_json("data/evaluate/age/evaluation.json")
    assert evaluation["classes"]["minor"] == "MINOR"
    assert evaluation["parts"]["wild"]["note"] == "this part has no pictures"
    assert evaluation["parts"]["test"]["note"] == "this part has no pictures of senior"
    predictions = read_table("data/evaluate/age/predictions.csv")
    assert list(predictions["part"]) == ["val"] + ["test"] * 4
    last = predictions.iloc[-1]
    assert (last["id"], last["label"], last["predicted"]) == (f"{3:016}", "minor", "senior")
    assert float(last["p_senior"]) > 0.9
    assert list(read_table("data/evaluate/age/curves.csv")["val_loss"]) == ["1.5"]
    assert len(read_table("data/evaluate/age/confusion_test.csv")) == 4
    assert read_table("data/evaluate/age/confusion_wild.csv").empty


def test_one_sigmoid_unit_is_the_second_class(project):
    both = [0, 0, 1, 1], [20, 60, 200, 240]
    project("tone", {"val": both, "test": both, "wild": ([0, 1], [240, 10])})
    main("tone")
    metrics = read_json("reports/tone/metrics.json")
    assert metrics["test"]["accuracy"] == 1
    assert metrics["wild"]["accuracy"] == 0
    predictions = read_table("data/evaluate/tone/predictions.csv")
    assert list(predictions["predicted"][:4]) == ["cool", "cool", "warm", "warm"]
    total = predictions[["p_cool", "p_warm"]].astype(float).sum(axis=1)
    assert np.allclose(total, 1, atol=1e-5)


def test_more_pictures_than_a_batch_stay_in_order(project):
    labels = list(np.arange(600) % 2)
    levels = [20 if label == 0 else 240 for label in labels]
    project("tone", {"val": ([0], [0]), "test": (labels, levels), "wild": ([], [])})
    main("tone")
    assert read_json("reports/tone/metrics.json")["test"]["accuracy"] == 1
