import json

import numpy as np
import pandas as pd
import pytest

from stages.common.shards import Shards
from stages.promote.promote import decide, judge, seen_in_training

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1])
RIGHT = LABELS.copy()
HALF = np.array([0, 0, 1, 1, 1, 1, 0, 0])
ONE_CLASS = np.zeros(8, int)


def test_the_first_candidate_is_the_champion():
    decision = decide(0.0, HALF, None, LABELS)
    assert (decision.decision, decision.champion) == ("champion", None)
    assert decision.candidate.balanced_accuracy == 0.5


@pytest.mark.parametrize(
    ("candidate", "champion", "margin", "expected"),
    [
        (RIGHT, HALF, 0.0, "champion"),
        (RIGHT, HALF, 0.49, "champion"),
        (RIGHT, HALF, 0.5, "challenger"),  # the margin must be exceeded, not met
        (HALF, RIGHT, 0.0, "challenger"),
        (RIGHT, RIGHT, 0.0, "challenger"),  # as good is no reason to change
        (ONE_CLASS, HALF, 0.0, "challenger"),  # the majority class wins nothing: 0.5 balanced
    ],
)
def test_a_champion_is_dethroned_only_by_more_than_the_margin(
    candidate, champion, margin, expected
):
    decision = decide(margin, candidate, champion, LABELS)
    assert decision.decision == expected
    assert f"{decision.candidate.balanced_accuracy:.3f}" in decision.reason


SIDE = 8


def write_model(folder, knows):
    """A network that answers the brightness of the pixel (0, `knows`): right if that is 0."""
    import keras

    folder.mkdir()
    kernel = np.zeros((SIDE * SIDE, 2), np.float32)
    kernel[knows] = (-1, 1)
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Sequential([keras.Input((SIDE, SIDE, 1)), keras.layers.Flatten(), dense])
    dense.set_weights([kernel, np.array([100.0, -100.0], np.float32)])
    model.save(folder / "model.keras")
    (folder / "classes.json").write_text(json.dumps({"dim": "dim", "bright": "bright"}))
    pd.DataFrame({"id": [], "person": []}).to_csv(folder / "seen.csv", index=False)
    return folder


@pytest.fixture
def test_part(tmp_path):
    """8 pictures; pixel (0, 0) tells the class, pixel (0, 1) tells it for the last four only."""
    folder = tmp_path / "test"
    folder.mkdir()
    images = np.zeros((8, SIDE, SIDE, 1), np.uint8)
    images[:, 0, 0, 0] = LABELS * 200
    images[:, 0, 1, 0] = np.array([1, 1, 0, 1, 1, 1, 1, 1]) * 200
    np.save(folder / "images-00000.npy", images)
    np.save(folder / "labels.npy", LABELS)
    ids = [f"photo{i}" for i in range(8)]
    pd.DataFrame({"id": ids}).to_csv(folder / "index.csv", index=False)
    splits = pd.DataFrame({"id": ids, "person": "", "group": ids, "part": "test"})
    return Shards(folder), splits


def test_both_are_judged_on_the_same_pictures(tmp_path, test_part):
    good, bad = write_model(tmp_path / "good", 0), write_model(tmp_path / "bad", 1)
    decision = judge(0.0, good, bad, *test_part)
    assert decision.decision == "champion"
    assert decision.candidate.balanced_accuracy == 1
    assert decision.champion.balanced_accuracy == 0.625
    assert decision.candidate.n == decision.champion.n == 8
    assert judge(0.0, bad, good, *test_part).decision == "challenger"


def test_pictures_the_champion_has_trained_on_do_not_count(tmp_path, test_part):
    """A new split must not let the old champion answer questions it has learnt by heart."""
    test, splits = test_part
    good, bad = write_model(tmp_path / "good", 0), write_model(tmp_path / "bad", 1)
    splits["group"] = ["g0", "g0", *splits["group"][2:]]
    splits["person"] = ["", "", "", "", "", "", "", "ann"]
    seen = pd.DataFrame({"id": ["photo0", "elsewhere"], "person": ["", "ann"]})
    seen.to_csv(bad / "seen.csv", index=False)
    decision = judge(0.0, good, bad, test, splits)
    assert decision.candidate.n == 5  # all but photo0, its twin photo1 and ann's photo7
    everything = pd.DataFrame({"id": splits["id"], "person": ""})
    everything.to_csv(bad / "seen.csv", index=False)
    decision = judge(0.0, good, bad, test, splits)
    assert decision.champion is None
    assert "every photo" in decision.reason


def test_a_champion_of_other_classes_cannot_be_compared(tmp_path, test_part):
    good, other = write_model(tmp_path / "good", 0), write_model(tmp_path / "other", 1)
    (other / "classes.json").write_text(json.dumps({"cool": "", "warm": ""}))
    decision = judge(0.0, good, other, *test_part)
    assert (decision.decision, decision.champion) == ("champion", None)
    assert "other classes" in decision.reason


def test_seen_is_train_and_val():
    splits = pd.DataFrame(
        {
            "id": list("abcd"),
            "person": ["p", "", "", ""],
            "part": ["train", "val", "test", "wild"],
        }
    )
    assert seen_in_training(splits)["id"].tolist() == ["a", "b"]
