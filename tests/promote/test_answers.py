"""Which photos may judge a champion."""

import numpy as np
import pandas as pd
import pytest

from stages.common.errors import UserError
from stages.params.merge import load
from stages.promote.answers import Answers, _picture_settings, unseen
from stages.promote.chain_folder import settings
from stages.promote.exams import _in_order
from stages.records.chain import CHAIN, weights
from stages.records.weights import WEIGHTS, Weight, Weights
from tests.params_yaml import REPO

SPLITS = pd.DataFrame(
    [
        ("a", "anna", "g1", "s1"),
        ("b", "", "g1", "s1"),  # a duplicate of a
        ("c", "", "g1", "s2"),  # by its face the same person as a
        ("d", "bella", "g2", "s3"),
        ("e", "", "g3", "s4"),
    ],
    columns=["id", "person", "group", "shot"],
)


@pytest.mark.parametrize(
    ("together", "seen", "judge"),
    [
        ("person", [("x", "nobody here")], "abcde"),
        ("person", [("a", "anna")], "de"),
        ("person", [("x", "anna")], "de"),  # another photo of hers
        ("person", [("b", "")], "de"),  # unknown persons are not one person
        ("person", [("x", "")], "abcde"),
        ("shot", [("a", "anna")], "cde"),
        ("shot", [("x", "anna")], "abcde"),
        ("shot", [("d", "bella"), ("e", "")], "abc"),
    ],
)
def test_what_is_kept_together_with_a_known_photo_judges_no_champion(together, seen, judge):
    order = [3, 0, 4, 2, 1]  # of the answers, not of splits.csv
    ids = SPLITS["id"].to_numpy()[order]
    nothing = np.zeros(len(ids), int)
    answers = Answers(ids, ids, nothing, nothing, np.zeros((len(ids), 2)))
    known = pd.DataFrame(seen, columns=["id", "person"])
    found = unseen(answers, SPLITS, known, together)
    assert set(ids[found]) == set(judge)


def chain(folder, detector="0" * 64, **changes):
    """A folder with as much of a chain as decides a picture; `changes` of the task's sections."""
    task = load(REPO / "params.yaml").tasks["tone"]
    for section, values in changes.items():
        changed = getattr(task, section).model_copy(update=values)
        task = task.model_copy(update={section: changed})
    weights(folder).mkdir(parents=True)
    CHAIN.write(folder, settings("tone", task))
    haar = Weight(name="haar", file="haar.xml", sha256=detector, source="download")
    none = Weight(name="grabcut", file=None, sha256=None, source="download")
    WEIGHTS.write(weights(folder), Weights(detector=haar, segmenter=none))
    return folder


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        ({"evaluate": {"unsure_below": 0.1}}, True),
        ({"augment": {"copies": 7, "rotation": 1.0}}, True),  # of training alone
        ({"augment": {"size": 33}}, False),
        ({"augment": {"channels": "gray"}}, False),
        ({"augment": {"background": "keep"}}, False),
        ({"extract": {"face_width": 0.5}}, False),
        ({"extract": {"size": 128}}, False),
        ({"extract": {"face": "central"}}, False),
        ({"extract": {"min_score": 0.6}}, False),
        ({"detector": "1" * 64}, False),
    ],
)
def test_what_decides_a_picture_decides_whether_a_champion_may_answer_the_shards(
    tmp_path, change, alike
):
    one, other = chain(tmp_path / "one"), chain(tmp_path / "other", **change)
    assert (_picture_settings(one) == _picture_settings(other)) == alike


def test_a_baseline_s_answers_are_put_in_order_or_refused_where_some_are_missing():
    def answers(*ids):
        labels = np.array([ord(id) for id in ids])
        return Answers(np.array(ids), np.array(ids), labels, labels, np.zeros((len(ids), 2)))

    found = _in_order(answers("c", "x", "a"), answers("a", "c"), "test", "baseline")
    assert found.ids.tolist() == ["a", "c"] and found.labels.tolist() == [97, 99]
    with pytest.raises(UserError, match=r"baseline lacks photos of the present test part"):
        _in_order(answers("c", "x"), answers("a", "c"), "test", "baseline")
