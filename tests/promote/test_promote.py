"""The stage on a small task: networks come and go, the files say who is what."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from stages.promote.__main__ import main
from stages.records import trials
from stages.records.chain import CHAIN
from stages.records.promotion import JUDGED, PROMOTION, SEEN
from stages.records.splits import SPLITS
from tests.conftest import imported_by
from tests.params_yaml import read_params, write_params
from tests.promote.mini import CLASSES, REPO, TASK, write_network

pytestmark = pytest.mark.slow

FOLDER = Path("data/promote", TASK)


def promotion():
    return json.loads((FOLDER / "promotion.json").read_text())


def gates():
    return {gate["gate"]: gate for gate in promotion()["gates"]}


def history():
    return [e["event"] for e in json.loads((FOLDER / "history.json").read_text())]


def roles():
    return {path.name for path in FOLDER.iterdir() if path.is_dir()}


def edit_params(edit):
    params = read_params()
    edit(params["tasks"][TASK])
    write_params(params)


def edit_evaluation(edit):
    path = Path(f"data/evaluate/{TASK}/evaluation.json")
    content = json.loads(path.read_text("utf-8"))
    edit(content["parts"])
    path.write_text(json.dumps(content), "utf-8")


def network(role):
    return (FOLDER / role / "model.keras").read_bytes()


def test_a_first_champion_surely_beats_chance_and_the_more_so_the_more_have_tried(project):
    write_network(-0.9, "1")
    main(TASK)
    assert promotion()["decision"] == "challenger"  # it loses against naming one class
    assert roles() == {"challenger"}
    assert not gates()["keeps up with majority"]["passed"]
    assert not gates()["beats chance"]["passed"]
    card = Path(f"reports/{TASK}/model_card.md").read_text("utf-8")
    assert "Not promoted" in card
    assert "have judged 1 candidate." in card and "this one 25 %." in card

    write_network(0.9, "6", wrong=13)  # would do as the first
    main(TASK)
    assert promotion()["decision"] == "challenger"
    assert [name for name, gate in gates().items() if not gate["passed"]] == ["beats chance"]
    assert promotion()["judged"]["luck"] == pytest.approx(0.5 / 6)
    assert 0.5 / 6 < gates()["beats chance"]["value"] < 0.5 / 2
    assert "have judged 2 candidates." in Path(f"reports/{TASK}/model_card.md").read_text("utf-8")

    write_network(1, "3")
    for _ in range(2):  # the second time it is no new candidate
        main(TASK)
        assert promotion()["decision"] == "champion"
        assert promotion()["judged"]["candidates"] == 3
    [networks] = JUDGED.read(FOLDER).values()
    assert len(networks) == 3

    forced = json.loads((FOLDER / "promotion.json").read_text())
    del forced["judged"]  # a file of an older version
    (FOLDER / "promotion.json").write_text(json.dumps(forced))
    assert PROMOTION.read(FOLDER).judged is None
    JUDGED.path(FOLDER).unlink()
    main(TASK)
    assert promotion()["judged"]["candidates"] == 1


def test_a_champion_of_an_earlier_version_defends_itself(project):
    """It has no file for LiteRT yet. Any other promotion starts neither Keras nor TensorFlow."""
    write_network(0.9, "6", wrong=5)
    assert not {"tensorflow", "keras"} & imported_by("stages.promote", TASK)
    (FOLDER / "champion/model.tflite").unlink()
    write_network(1, "3")
    main(TASK)
    assert promotion()["champion"]["test"]["n"] > 0
    assert network("former") != network("champion")
    assert (FOLDER / "former/model.tflite").exists()


def test_a_champion_that_only_tensorflow_can_run_is_dropped(project, caplog):
    import keras

    write_network(0.9, "6", wrong=5)
    main(TASK)
    pixels = keras.Input((16, 16, 3), dtype="uint8")
    median = keras.ops.quantile(keras.ops.cast(pixels, "float32"), 0.5, axis=[1, 2])  # in 64 bits
    keras.Model(pixels, keras.layers.Dense(2)(median)).save(FOLDER / "champion/model.keras")
    (FOLDER / "champion/model.tflite").unlink()
    write_network(1, "3")
    main(TASK)
    assert promotion()["champion"] is None
    assert roles() == {"champion"}
    assert "model.tflite" in caplog.text and "it is dropped" in caplog.text


def test_from_the_first_champion_to_a_better_one(project):
    write_network(0.9, "6", wrong=5)
    main(TASK)
    first = promotion()
    assert (first["decision"], first["champion"]) == ("champion", None)
    assert "no champion yet" in first["reason"]
    assert "tone_vgg failed" in gates()["keeps up with tone_vgg"]["about"]
    assert roles() == {"champion"}
    weak = network("champion")

    write_network(1, "3")
    main(TASK)
    decision = promotion()
    assert decision["decision"] == "champion", decision["reason"]
    assert set(gates()) >= {"beats the champion", "margin", "wild", "calibration", "slices"}
    test = decision["candidate"]["test"], decision["champion"]["test"]
    assert test[0]["n"] == test[1]["n"] > 0
    gain = test[0]["balanced_accuracy"] - test[1]["balanced_accuracy"]
    assert gates()["margin"]["value"] == pytest.approx(gain)
    assert roles() == {"champion", "former"}
    assert network("former") == weak
    board = pd.read_csv(FOLDER / "leaderboard.csv")
    assert board["kind"].tolist() == ["majority", "network", "search winner", "champion"]
    assert board["test_accuracy"].isna().tolist() == [False, True, False, False]
    winner = board.iloc[2]
    assert winner["seconds"] == 5.0
    assert winner["test_accuracy_low"] <= winner["test_accuracy"] <= winner["test_accuracy_high"]

    before, told = network("champion"), history()
    main(TASK)  # the same network again: nothing to decide, nothing new to tell
    assert promotion()["decision"] == "champion"
    assert (network("champion"), history()) == (before, told)
    assert roles() == {"champion", "former"}
    assert network("former") == weak  # a rollback still has somewhere to go

    write_network(0.9, "4", wrong=5)
    main(TASK)  # worse: the champion stays, and so does its card
    assert promotion()["decision"] == "challenger"
    assert roles() == {"champion", "challenger", "former"}
    assert network("champion") == before
    assert told + ["challenger"] == history()
    assert "**Champion:**" in Path(f"reports/{TASK}/model_card.md").read_text("utf-8")


def test_a_champion_of_other_pictures_is_asked_for_the_original_photos(project):
    """What it answers does not depend on the way it is asked."""
    write_network(0.9, "6", wrong=5)
    main(TASK)
    write_network(1, "3")
    kept = Path("kept")
    shutil.copytree(FOLDER, kept)
    main(TASK)
    by_network = promotion()["champion"]
    shutil.rmtree(FOLDER)
    shutil.copytree(kept, FOLDER)
    # Haar knows no score, so this changes no picture; that it differs is all that `promote` knows.
    edit_params(lambda task: task["extract"].update(min_score=0.6))
    main(TASK)
    assert promotion()["champion"] == by_network

    # A photo without a face is a wrong answer.
    shutil.rmtree(FOLDER)
    shutil.copytree(kept, FOLDER)
    splits = pd.read_csv(f"data/splits/{TASK}/splits.csv", dtype=str)
    hits = pd.read_csv(FOLDER / "leaderboard.csv")["test_accuracy"].iloc[-1]
    from stages.common.images import write_png

    for photo in splits.loc[splits["part"] == "test", "id"]:
        [file] = Path(f"data/raw/{TASK}/images").glob(f"{photo}.*")
        write_png(file, np.full((64, 64, 3), 128, np.uint8))
    main(TASK)
    assert hits > 0
    assert promotion()["champion"]["test"]["accuracy"] == 0


def test_a_champion_knows_its_photos_of_train_and_val_and_its_own_limit(project):
    write_network(0.9, "4", wrong=5)
    main(TASK)
    splits = SPLITS.frame(Path("data/splits", TASK)).set_index("id")["part"]
    known = SEEN.frame(FOLDER / "champion")["id"]
    assert set(splits) == {"train", "val", "test", "wild"}
    assert sorted(known) == sorted(splits.index[splits.isin(["train", "val"])])
    limit = read_params()["tasks"][TASK]["evaluate"]["unsure_below"]
    assert 0 < limit == CHAIN.read(FOLDER / "champion").unsure_below


def test_photos_the_champion_has_trained_on_do_not_count(project):
    """A new split must not let the old champion answer questions it has learnt by heart."""
    write_network(0.9, "6", wrong=5)
    main(TASK)
    splits = pd.read_csv(f"data/splits/{TASK}/splits.csv", dtype=str)
    test = splits[splits["part"] == "test"]
    # One photo's person, of whom the test part has two photos, and another's group
    seen = pd.DataFrame({"id": ["elsewhere"], "person": [test["person"].iloc[0]]})
    seen.to_csv(FOLDER / "champion/seen.csv", index=False)
    write_network(1, "3")
    main(TASK)
    known = test["group"].isin(test.loc[test["person"] == test["person"].iloc[0], "group"]).sum()
    assert promotion()["candidate"]["test"]["n"] == len(test) - known
    assert promotion()["champion"]["test"]["n"] == len(test) - known

    # Where the exam is other photos of known people, photos count that it has not trained on.
    edit_params(lambda task: task["split"].update(keep_together="shot"))
    write_network(0.9, "4", wrong=5)
    seen = test[["id", "person"]].iloc[:1]
    seen.to_csv(FOLDER / "champion/seen.csv", index=False)
    write_network(0.9, "6")
    main(TASK)
    assert promotion()["champion"]["test"]["n"] == len(test) - 1
    edit_params(lambda task: task["split"].update(keep_together="person"))

    splits[["id", "person"]].to_csv(FOLDER / "champion/seen.csv", index=False)
    write_network(0.9, "5")
    main(TASK)
    assert promotion()["champion"] is None
    assert "every photo" in promotion()["reason"]


def test_a_champion_of_other_classes_cannot_be_compared(project):
    write_network(1, "2")
    main(TASK)
    trials.CLASSES.write(FOLDER / "champion", {"other": "", "warm": ""})
    write_network(0.9, "3")
    main(TASK)
    assert (promotion()["decision"], promotion()["champion"]) == ("champion", None)
    assert "other classes" in promotion()["reason"]
    assert "margin" not in gates()


def test_a_champion_of_an_older_version_is_dropped_with_a_warning(project, caplog):
    """Its weights.json names no file for the detector, so it cannot answer a photo any more."""
    write_network(0.9, "6", wrong=5)
    main(TASK)
    weights = FOLDER / "champion/weights/weights.json"
    content = json.loads(weights.read_text())
    content["detector"]["file"] = None
    weights.write_text(json.dumps(content))
    write_network(1, "3")
    main(TASK)
    assert "older version" in caplog.text
    assert promotion()["champion"] is None  # not compared
    assert roles() == {"champion"}


def test_limits_that_hold_without_a_champion(project):
    write_network(1, "2")
    edit_evaluation(lambda parts: parts["test"].update(ece=0.4))
    main(TASK)
    assert roles() == {"challenger"}
    assert not gates()["calibration"]["passed"]
    assert "calibration" in promotion()["reason"]
    edit_params(lambda task: task["promote"].update(max_ece=0.5))
    worst = {"column": "flags", "value": "dark", "n": 9, "groups": 7, "accuracy": 0.2, "low": 0.1}
    worst |= {"high": 0.4, "gap": -0.6, "gap_low": -0.8, "gap_high": -0.4}
    edit_evaluation(lambda parts: parts["wild"].update(slices=[worst]))
    main(TASK)
    assert roles() == {"challenger"}
    assert gates()["slices"]["value"] == -0.6
    assert "flags = dark in wild" in gates()["slices"]["about"]
    edit_params(lambda task: task["promote"].update(max_slice_gap=0.4))
    main(TASK)
    assert roles() == {"champion"}


def test_the_card_shows_foreign_text_and_lets_it_do_nothing(project):
    manifest = Path(f"data/raw/{TASK}/manifest.csv")
    table = pd.read_csv(manifest, dtype=str)
    table["licence"] = "x | y\n# <script>alert(1)</script> [here](http://evil.example) `a` \u202e"
    table.to_csv(manifest, index=False)
    write_network(1, "2")
    main(TASK)
    card = (FOLDER / "champion/model_card.md").read_text("utf-8")
    assert "<" not in card.replace("\\<", "")
    assert "http://evil" not in card and "\u202e" not in card
    assert "\n# " not in card.split("\n", 1)[1]
    row = next(line for line in card.splitlines() if "script" in line)
    assert row.replace("\\|", "").count("|") == 4
    # What it is about
    for fact in ("To identify anybody", "sha256", "32 photos", *CLASSES, "71 %", "2.dir"):
        assert fact in card
    main(TASK)
    assert (FOLDER / "champion/model_card.md").is_file()


def test_no_network_is_chosen_by_test_or_wild():
    stages = yaml.safe_load((REPO / "dvc.yaml").read_text("utf-8"))["stages"]
    data = [dep for dep in stages["search"]["do"]["deps"] if dep.startswith("data/")]
    assert data == [
        "data/code/search.txt",
        "data/weights/${key}",
        "data/faces/${key}/geometry.json",  # where the eyes are in every crop
        "data/shards/${key}/train",
        "data/shards/${key}/val",
    ]
