import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from stages.common.images import write_png
from stages.records.folders import Folders, picture
from stages.records.splits import SPLITS
from stages.records.suspects import SUSPECTS
from stages.suspects.features import describe
from stages.suspects.suspects import suspects

ROOT = Path(__file__).parents[2]


def two_kinds(count=120, seed=0):
    """Photos of two classes that their features tell apart, each its own group."""
    rng = np.random.default_rng(seed)
    label = np.array(["cool", "warm"])[np.arange(count) % 2]
    features = rng.normal(0, 1, (count, 30)) + 2 * (label == "warm")[:, None]
    ids = [f"{k * 7919 % 100_003:016x}" for k in range(count)]
    return pd.DataFrame({"id": ids, "label": label, "group": ids}), features.astype(np.float32)


def exchange(table, rows):
    table = table.copy()
    table.loc[rows, "label"] = table.label[rows].map({"cool": "warm", "warm": "cool"})
    return table


def test_exchanged_labels_are_suspect_and_others_are_not():
    table, features = two_kinds()
    rows = [3, 10, 57, 90]
    found = suspects(exchange(table, rows), features)
    assert sorted(found.id) == sorted(table.id)  # each photo once
    flagged = set(found.id[found.suspect == 1])
    assert flagged and flagged <= set(table.id[rows])
    assert set(found.id[:4]) == set(table.id[rows])  # the least likely first
    assert (found.label[:4] != found.likely[:4]).all()
    assert found.p_label.is_monotonic_increasing
    assert suspects(table, features).suspect.sum() == 0


def test_the_number_of_cores_decides_no_digit():
    table, _ = two_kinds(400)
    features = np.random.default_rng(1).normal(0, 1, (400, 2352)).astype(np.float32)
    with threadpool_limits(1):
        alone = suspects(table, features)
    with threadpool_limits(4):
        pd.testing.assert_frame_equal(suspects(table, features), alone, check_exact=True)


def test_a_copy_does_not_tell_its_twin_s_label():
    """Features that name the photo, and nothing else: known only from its copy in another fold."""
    count = 60
    table, _ = two_kinds(count)
    features = np.eye(count, dtype=np.float32)[np.arange(count) // 4 * 4]  # four copies of each
    table["label"] = np.array(["cool", "warm"])[np.arange(count) // 4 % 2]
    alone = suspects(table, features)
    table["group"] = table.id[np.arange(count) // 4 * 4].to_numpy()
    together = suspects(table, features)
    assert (alone.label == alone.likely).mean() > 0.9
    assert (together.label == together.likely).mean() < 0.7


@pytest.mark.parametrize("groups", [3, 4, 5, 9])
def test_few_groups(groups):
    table, features = two_kinds(2 * groups)
    assert len(suspects(table, features)) == 2 * groups


class OnDisk:
    """Features that say which rows were asked for."""

    def __init__(self, features):
        self.features, self.asked = features, []

    def __getitem__(self, rows):
        self.asked.append(rows)
        return self.features[rows]


def test_many_photos_of_a_class_are_never_in_memory_together(monkeypatch):
    monkeypatch.setattr("stages.suspects.suspects.FIT", 30)
    monkeypatch.setattr("stages.suspects.suspects.BATCH", 17)
    table, features = two_kinds(400)
    wrong = [3, 10, 57, 90]
    table, shown = exchange(table, wrong), OnDisk(features)
    found = suspects(table, shown)
    assert set(found.id[:4]) == set(table.id[wrong])
    fitted = [rows for rows in shown.asked if len(rows) > 17]
    assert len(fitted) == 5
    for rows in fitted:
        assert table.label[rows].value_counts().to_dict() == {"cool": 30, "warm": 30}
        assert len(set(rows.tolist())) == 60
    judged = np.concatenate([rows for rows in shown.asked if len(rows) <= 17])
    assert sorted(judged.tolist()) == list(range(400))


@pytest.mark.slow
def test_command(tmp_path):
    table, _ = two_kinds(24)
    table = exchange(table, [5])
    rng, at = np.random.default_rng(0), Folders("age", tmp_path)
    for row, id in enumerate(table.id):
        face = rng.integers(0, 80, (64, 64, 3)) + ([0, 0, 150] if row % 2 else [150, 0, 0])
        path = picture(at.faces, id)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, face.astype(np.uint8))
    SPLITS.write_frame(at.splits, table.assign(person="", shot=table.id, part="train", value=None))
    subprocess.run(
        [sys.executable, "-m", "stages.suspects", "age"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
    )
    found = SUSPECTS.frame(at.suspects)
    assert found.id[0] == table.id[5] and found.likely[0] != found.label[0]
    assert list(found.columns) == ["id", "label", "likely", "p_label", "p_likely", "suspect"]


def test_features_see_colour_and_shape():
    rng = np.random.default_rng(0)
    face = rng.integers(0, 255, (256, 256, 3), dtype=np.uint8)
    assert describe(face).shape == (2352,) and describe(face).dtype == np.float32
    assert not np.allclose(describe(face)[:2304], describe(face[:, ::-1])[:2304])
    assert not np.allclose(describe(face)[2304:], describe(face[..., ::-1])[2304:])
