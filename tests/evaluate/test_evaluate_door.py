"""The whole stage, on networks saved to disk whose answers are known."""

import json
from pathlib import Path

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.common.images import read_png, write_png
from stages.evaluate.__main__ import main
from stages.networks.calibrate import fit_temperature
from stages.records import shards
from stages.records import trials as records
from stages.records.trials import Epoch, Outputs
from tests.conftest import imported_by
from tests.evaluate.searched import attempt, finished
from tests.params_yaml import complete, write_params
from tests.text_table import read_table

pytestmark = pytest.mark.slow

EPOCH = Epoch(epoch=0, time_ms=1, loss=2.0, val_loss=1.5, accuracy=0.5, val_accuracy=0.25)
TRIALS = finished(attempt(0, (EPOCH,)))
EPS = np.finfo(np.float32).eps  # below it no probability is told from 0
CLASSES = {"age": ["minor", "young", "middle", "senior"], "tone": ["cool", "warm"]}


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def one_colour_network(keras, head):
    """Sees the mean brightness b in 0..1. Sigmoid: class 1 if b > 0.5. Softmax: b in quarters."""
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(inputs))
    layer = keras.layers.Dense(head, activation="sigmoid" if head == 1 else "softmax")
    model = keras.Model(inputs, layer(mean))
    if head == 1:
        layer.set_weights([np.full((3, 1), 10.0), np.array([-15.0])])
    else:  # logit k = 200 (b c_k - c_k**2 / 2): largest for the centre c_k that is nearest to b
        centres = (np.arange(head) + 0.5) / head
        layer.set_weights([np.tile(200 * centres / 3, (3, 1)), -200 * centres**2 / 2])
    return model


def a_number_network(keras):
    """Says how bright a picture is, 0 to 255, and 10 more."""
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    layer = keras.layers.Dense(1)
    model = keras.Model(inputs, layer(mean))
    layer.set_weights([np.full((3, 1), 1 / 3), np.array([10.0])])
    return model


def classes_and_a_number(keras):
    """Both of the above in one: a class of four, and a number."""
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    heads = one_colour_network(keras, 4), a_number_network(keras)
    return keras.Model(inputs, [head(inputs) for head in heads])


def ids_of(part, n):
    return [f"{part}{i:012}" for i in range(n)]


def write_part(folder, labels, levels):
    folder.mkdir(parents=True, exist_ok=True)
    shards.create(folder, (len(labels), 8, 8, 3))
    pictures = np.stack([np.full((8, 8, 3), v, np.uint8) for v in levels]) if len(levels) else []
    with shards.Writer(folder) as writer:
        writer.write(0, pictures)
    np.save(folder / "labels.npy", np.array(labels, np.int64))
    rows = "".join(f"{id},0\n" for id in ids_of(folder.name, len(labels)))
    (folder / "index.csv").write_text("id,copy\n" + rows)


def write_photos(data, task, counts, values):
    """What the stages before know of each photo: every third has a blurred face."""
    ids = [id for part, n in counts.items() for id in ids_of(part, n)]
    for folder in ("splits/{}", "raw/{}", "faces/{}", "mattes/{}/images"):
        (data / folder.format(task)).mkdir(parents=True)
    splits = [f"{id},group-{id},{values.get(id, '')}" for id in ids]
    manifest = [f"{id},folder" for id in ids]
    faces = [f"{id},1,{'' if number % 3 else 'blur'}" for number, id in enumerate(ids)]
    for path, header, rows in (
        ("splits/{}/splits.csv", "id,group,value", splits),
        ("raw/{}/manifest.csv", "id,source", manifest),
        ("faces/{}/faces.csv", "id,faces,flags", faces),
        ("mattes/{}/mattes.csv", "id,flags", [f"{id}," for id in ids]),
    ):
        (data / path.format(task)).write_text("\n".join([header, *rows, ""]))
    alpha = np.zeros((16, 16, 4), np.uint8)
    alpha[:8, :, 3] = 255
    for id in ids:
        write_png(data / "mattes" / task / "images" / f"{id}.png", alpha)


def save_network(model, folder):
    from stages.networks.export import convert

    model.save(folder / "model.keras")
    convert(model, folder)


@pytest.fixture
def project(tmp_path, monkeypatch, keras):
    """A function that lays out a task's files; the network answers by brightness."""
    content = complete()
    monkeypatch.chdir(tmp_path)

    def lay_out(task, parts, *, model=None, trials=TRIALS, values=None, **params):
        classes = CLASSES[task]
        section = content["tasks"][task]
        section["classes"] = {name: name.upper() for name in classes}
        section["evaluate"] = {"unsure_below": 0.4, "slices": ["flags", "source", "faces"]}
        section |= params
        write_params(content)
        search = tmp_path / "data/search" / task
        search.mkdir(parents=True, exist_ok=True)
        head = 1 if len(classes) == 2 else len(classes)
        save_network(model or one_colour_network(keras, head), search)
        records.TRIALS.write(search, trials)
        for part, (labels, levels) in parts.items():
            write_part(tmp_path / "data/shards" / task / part, labels, levels)
        counts = {part: len(labels) for part, (labels, _) in parts.items()}
        write_photos(tmp_path / "data", task, counts, values or {})

    return lay_out


def read_json(path):
    return json.loads(Path(path).read_text(encoding="utf-8"))


def test_an_exam_starts_neither_keras_nor_tensorflow(project):
    project("age", {part: ([0, 3], [10, 220]) for part in ("val", "test", "wild")})
    imported = imported_by("stages.evaluate", "age")
    assert "ai_edge_litert.interpreter" in imported
    assert not {"tensorflow", "keras"} & imported
    assert read_json("reports/age/metrics.json")["test"]["accuracy"] == 1


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
    assert (last["id"], last["label"], last["predicted"]) == (f"test{3:012}", "minor", "senior")
    assert last["answer"] == "senior" and last["group"] == f"group-test{3:012}"
    assert last["value"] == last["predicted_value"] == ""
    assert float(last["p_senior"]) > 0.9
    maps = read_table("data/evaluate/age/explanations/maps.csv")
    assert set(maps["id"]) == set(ids_of("test", 4)) and set(maps["part"]) == {"test"}
    assert read_png(f"data/evaluate/age/explanations/test{3:012}.png").shape == (8, 8)
    test = evaluation["parts"]["test"]
    assert evaluation["ordered"] and test["qwk"] == pytest.approx(metrics["test"]["qwk"], abs=1e-4)
    assert test["explanations"]["n"] == 4
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


def test_a_slice_is_the_photos_of_a_flag(project):
    labels = [0] * 15 + [1] * 15
    levels = [20 if label == 0 else 240 for label in labels]
    for blurred in range(0, 30, 3):  # a blurred photo is always answered wrongly
        levels[blurred] = 260 - levels[blurred]
    project("tone", {"val": ([], []), "test": (labels, levels), "wild": ([], [])})
    main("tone")
    (row,) = read_json("data/evaluate/tone/evaluation.json")["parts"]["test"]["slices"]
    assert (row["column"], row["value"], row["n"], row["gap"]) == ("flags", "blur", 10, -1)
    assert row["gap_high"] < -0.5


def test_a_slice_whose_column_is_gone_is_refused_before_anything_runs(project):
    """`params` knows what columns there will be, but not that a list has since lost one."""
    both = [0, 1], [20, 240]
    project(
        "tone",
        {"val": both, "test": both, "wild": both},
        evaluate={"unsure_below": 0.5, "slices": ["credit"]},
    )
    with pytest.raises(UserError, match="tasks.tone.evaluate.slices: 'credit'"):
        main("tone")
    assert not Path("data/evaluate").exists()


def test_test_labels_decide_nothing(project):
    """Their permutation changes no answer, no probability, no threshold, no calibration."""
    rng = np.random.default_rng(0)
    levels = {part: rng.integers(0, 256, 40) for part in ("val", "test", "wild")}
    labels = {part: (level // 64 + rng.integers(0, 2, 40)) % 4 for part, level in levels.items()}
    parts = {part: (labels[part], levels[part]) for part in levels}
    project("age", parts)
    main("age")
    first = read_table("data/evaluate/age/predictions.csv")
    calibration = Path("data/evaluate/age/calibration.json").read_bytes()
    assert json.loads(calibration)["temperature"] != 1
    for part in ("test", "wild"):
        permuted = rng.permutation(labels[part])
        assert (permuted != labels[part]).any()
        write_part(Path("data/shards/age") / part, permuted, levels[part])
    main("age")
    second = read_table("data/evaluate/age/predictions.csv")
    assert not first["label"].equals(second["label"])
    assert first.drop(columns="label").equals(second.drop(columns="label"))
    assert Path("data/evaluate/age/calibration.json").read_bytes() == calibration


def test_every_part_is_answered_and_examined_with_the_calibration_of_val(project, keras):
    """The network is too sure on val. What it says of test and wild is cooled down as much."""
    rng = np.random.default_rng(0)
    levels = {part: rng.integers(0, 256, 40) for part in ("val", "test", "wild")}
    parts = {
        part: ((each // 64 + rng.integers(0, 2, 40)) % 4, each) for part, each in levels.items()
    }
    project("age", parts)
    main("age")
    temperature = read_json("data/evaluate/age/calibration.json")["temperature"]
    assert temperature > 2
    model = keras.saving.load_model("data/search/age/model.keras")
    answers = read_table("data/evaluate/age/predictions.csv")
    exams = read_json("data/evaluate/age/evaluation.json")["parts"]
    for part, (labels, level) in parts.items():
        pictures = np.tile(level[:, None, None, None], (1, 8, 8, 3)).astype(np.uint8)
        said = np.maximum(model.predict(pictures, verbose=0).astype(float), EPS)
        expected = said ** (1 / temperature)
        expected /= expected.sum(1, keepdims=True)
        rows = answers[answers["part"] == part]
        found = rows[[f"p_{name}" for name in CLASSES["age"]]].to_numpy(float)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        loss = -np.log(expected[np.arange(40), labels]).mean()
        assert exams[part]["log_loss"] == pytest.approx(loss, rel=1e-4)
        low = expected.max(1) < 0.4
        assert low.any() and not low.all()
        assert (rows["answer"].eq("unsure") == low).all()
        assert exams[part]["unsure"]["coverage"] == pytest.approx(1 - low.mean())


def test_a_number_and_its_groups(project, keras):
    """In test and wild the network says 3 more than the true age."""
    true = {"val": [5, 25, 45, 65, 15], "test": [15, 25, 45, 70], "wild": [30]}
    parts = {
        part: ([(age > 18) + (age > 39) + (age > 59) for age in ages], [age - 7 for age in ages])
        for part, ages in true.items()
        if part != "val"
    }
    parts["val"] = [0, 1, 2, 3, 0], [0, 20, 38, 50, 1]
    values = {
        id: age
        for part, ages in true.items()
        for id, age in zip(ids_of(part, 9), ages, strict=False)
    }
    del values[ids_of("wild", 1)[0]]
    epoch = Epoch(epoch=0, time_ms=1, loss=9.0, val_loss=8.0, mae=3.0, val_mae=2.0)
    project(
        "age",
        parts,
        model=a_number_network(keras),
        trials=finished(attempt(0, (epoch,))),
        values=values,
        kind="regression",
    )
    main("age")
    evaluation = read_json("data/evaluate/age/evaluation.json")
    errors = np.array([10 - 5, 30 - 25, 48 - 45, 60 - 65, 11 - 15])
    assert evaluation["calibration"]["sigma"] == pytest.approx(np.sqrt((errors**2).mean()))
    assert evaluation["calibration"]["before"] is None
    assert evaluation["parts"]["test"]["mae"] == pytest.approx(3)
    assert evaluation["calibration"]["within"] == pytest.approx(5)  # the 5th of 5 errors
    assert evaluation["parts"]["test"]["in_range"] == 1
    assert evaluation["parts"]["wild"]["mae"] is None  # its number is not known
    assert evaluation["parts"]["wild"]["in_range"] is None
    assert read_json("reports/age/metrics.json")["test"]["mae"] == pytest.approx(3)
    test = read_table("data/evaluate/age/predictions.csv").query("part == 'test'")
    assert list(test["predicted_value"].astype(float)) == pytest.approx([18, 28, 48, 73])
    assert list(test["value"]) == ["15", "25", "45", "70"]
    assert list(test["predicted"]) == ["minor", "young", "middle", "senior"]
    assert list(test["p_minor"].astype(float) > 0.4) == [True, False, False, False]
    assert "val_mae" in read_table("data/evaluate/age/curves.csv")


def test_classes_and_a_number_from_one_network(project, keras):
    """On val the number is 0 to 11 too high; in test 8 or 9."""
    levels = {"val": [30, 100, 160, 220] * 3, "test": [40, 110, 150, 210, 45] * 2, "wild": [30]}
    errors = {"val": range(12), "test": [8] * 8 + [9, 9], "wild": [3]}
    parts = {part: ([level // 64 for level in each], each) for part, each in levels.items()}
    values = {
        id: level + 10 - error
        for part in levels
        for id, level, error in zip(ids_of(part, 99), levels[part], errors[part], strict=False)
    }
    del values[ids_of("wild", 1)[0]]
    project("age", parts, values=values)
    main("age")
    of_one_output = read_table("data/evaluate/age/explanations/maps.csv")
    save_network(classes_and_a_number(keras), Path("data/search/age"))
    main("age")
    evaluation = read_json("data/evaluate/age/evaluation.json")
    assert evaluation["kind"] == "classification" and evaluation["ordered"]
    assert evaluation["calibration"]["temperature"] == 1  # no mistakes on val
    within = 10  # rank ceil(0.8 * 13) of 0, 1, ..., 11
    assert evaluation["calibration"]["within"] == pytest.approx(within, abs=1e-4)
    assert read_json("data/evaluate/age/calibration.json")["within"] == pytest.approx(10, abs=1e-4)
    test, wild = evaluation["parts"]["test"], evaluation["parts"]["wild"]
    assert test["accuracy"] == 1 and test["qwk"] == 1
    assert test["mae"] == pytest.approx(8.2, abs=1e-4)
    low, high = test["intervals"]["mae"]
    assert 8 <= low < 8.2 < high <= 9
    assert test["in_range"] == 1 and test["intervals"]["in_range"] == [
        pytest.approx(0.69, abs=0.01),
        1,
    ]
    assert wild["mae"] is wild["in_range"] is None  # its number is not known
    found = read_json("reports/age/metrics.json")["test"]
    assert (found["mae"], found["in_range"]) == (8.2, 1) and found["mae_low"] < 8.2
    answers = read_table("data/evaluate/age/predictions.csv")
    of_test = answers[answers["part"] == "test"]
    said = of_test["predicted_value"].astype(float) - of_test["value"].astype(float)
    assert said.tolist() == pytest.approx(list(errors["test"]), abs=1e-4)
    assert answers["predicted_value"].astype(float).iloc[-1] == pytest.approx(40)
    # An answer rests on what its class rests on.
    assert read_table("data/evaluate/age/explanations/maps.csv").equals(of_one_output)


def test_after_a_final_fit_the_answers_from_before_calibrate(project, keras):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 4, 40)
    sure = np.eye(4)[np.where(rng.random(40) < 0.7, labels, (labels + 1) % 4)]
    held_out = Outputs((sure * 0.96 + 0.01).astype(np.float32), np.arange(40, dtype=np.float32))
    both = [0, 1, 2, 3], [30, 100, 160, 220]
    project(
        "age",
        {"val": (labels, labels * 64), "test": both, "wild": both},
        model=classes_and_a_number(keras),
        trials=finished(attempt(0, (EPOCH,)), final_fits=(attempt(0, ()),)),
        values={id: 0.0 for id in ids_of("val", 40)} | {id: 50.0 for id in ids_of("test", 4)},
    )
    with pytest.raises(UserError, match=r"val_outputs\.npz"):
        main("age")
    records.VAL_OUTPUTS.write(Path("data/search/age"), held_out)
    main("age")
    evaluation = read_json("data/evaluate/age/evaluation.json")
    assert set(evaluation["parts"]) == {"test", "wild"}
    assert set(read_table("data/evaluate/age/predictions.csv")["part"]) == {"test", "wild"}
    calibration = evaluation["calibration"]
    assert calibration["temperature"] == fit_temperature(held_out.raw, labels).temperature > 1.5
    assert calibration["within"] == 32  # rank ceil(0.8 * 41) of 0, 1, ..., 39
    assert "before it was trained on val" in calibration["note"]
    assert calibration["after"]["log_loss"] < calibration["before"]["log_loss"]
    assert evaluation["parts"]["test"]["in_range"] == 0.25  # 40, 110, 170, 230 for 50


def test_after_a_final_fit_so_is_the_sigma_of_a_regression(project, keras):
    both = [0, 1, 2, 3], [5, 25, 45, 65]
    project(
        "age",
        {"val": both, "test": both, "wild": both},
        model=a_number_network(keras),
        trials=finished(attempt(0, (EPOCH,)), final_fits=(attempt(0, ()),)),
        values=dict(zip(ids_of("val", 4), [5, 25, 45, 65], strict=True)),
        kind="regression",
    )
    before = Outputs(np.array([[9], [21], [49], [61]], np.float32), None)
    records.VAL_OUTPUTS.write(Path("data/search/age"), before)
    main("age")
    calibration = read_json("data/evaluate/age/evaluation.json")["calibration"]
    assert calibration["sigma"] == calibration["within"] == 4
    assert "before it was trained on val" in calibration["note"]
