"""The real `datasets` and `huggingface_hub` against a Hub on loopback."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.collect.hub_api import environment, serve_dataset

ROOT = Path(__file__).parents[2]
# The endpoint is read when the library is imported, so each question is asked in a new process.
SCRIPT = """
import json, sys
from pathlib import Path
from msgspec import structs
from stages.collect.candidate import Context, check
from stages.collect.forgotten import Forgotten
from stages.collect.huggingface import candidates
from stages.common.errors import UserError
from stages.records.sources import HuggingFace
root = Path(sys.argv[1])
(root / "out/images").mkdir(parents=True)
forgotten = Forgotten(root, "t")
context = Context(root, ["cool", "warm"], "key", root / "downloads", forgotten)
answers = []
for source in json.loads(sys.argv[2]):
    try:
        found = candidates(HuggingFace(**source), context)
        checked = [check(candidate, root / "out") for candidate in found]
        rows = [structs.asdict(each.photo or each.row()) for each in checked]
        answers.append(rows)
    except UserError as error:
        answers.append(str(error))
print(json.dumps(answers))
"""


def picture(seed):
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def hub(server, tmp_path):
    """The data set me/faces: 12 photos, and a row each with a foreign path, nothing and rubbish."""
    import datasets

    images = [{"bytes": picture(n), "path": f"{n}.png"} for n in range(12)]
    images += [
        {"bytes": None, "path": "/etc/hostname"},
        None,
        {"bytes": b"<html>", "path": "x.png"},
    ]
    rows = {
        "image": images,
        "age": [*range(0, 120, 10), 1, 1, 1],
        "tone": [n % 2 for n in range(12)] + [1, 1, 1],
        "who": [f"p{n // 2}" for n in range(12)] + [None] * 3,
    }
    features = {
        "image": datasets.Image(decode=False),
        "age": datasets.Value("int64"),
        "tone": datasets.ClassLabel(names=["Cool Tone", "Warm Tone"]),
        "who": datasets.Value("string"),
    }
    data = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    serve_dataset(server, "me/faces", data, {"license": "cc-by-4.0"}, tmp_path)
    return server


@pytest.fixture
def ask(hub, tmp_path, tombstones):
    def ask(*changes, forgotten=()):
        tombstones(*forgotten)
        source = {"source": "huggingface", "dataset": "me/faces", "split": "train"}
        source |= {"image": "image", "label": "age", "limit": 2}
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                SCRIPT,
                str(tmp_path),
                json.dumps([source | c for c in changes]),
            ],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                **environment(hub, tmp_path / "hf"),
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return ask


@pytest.mark.slow
def test_photos_of_the_hub(ask, hub):
    labels = {
        "labels": {"Cool Tone": "cool", "Warm Tone": "warm"},
        "label": "tone",
        "person": "who",
    }
    bins = {"bins": {"cool": [0, 18], "warm": [60, 120]}, "limit": 50}
    by_label, by_bin, no_column, no_class, no_split, no_set = ask(
        labels,
        bins,
        {"bins": {"cool": [0, 1]}, "label": "years"},
        {"labels": {"0": "cold"}},
        {"bins": {"cool": [0, 1]}, "split": "test"},
        {"bins": {"cool": [0, 1]}, "dataset": "me/nothing"},
    )
    assert isinstance(by_label, list), by_label
    assert isinstance(by_bin, list), by_bin
    # The first two of each class, with what is known of them.
    assert [(row["name"][-1], row["label"], row["person"]) for row in by_label] == [
        ("0", "cool", "p0"),
        ("1", "warm", "p0"),
        ("2", "cool", "p1"),
        ("3", "warm", "p1"),
    ]
    assert {row["licence"] for row in by_label} == {"cc-by-4.0"}
    assert {row["page"] for row in by_label} == {"https://huggingface.co/datasets/me/faces"}
    assert all(row["id"] and "reason" not in row for row in by_label)
    # 0, 10 and three bad rows of age 1 are young; 60 to 110 old; the rest belongs to neither.
    reasons = [row["reason"] for row in by_bin if "reason" in row]
    assert len(by_bin) == 11 and len(reasons) == 3
    assert reasons == [
        "the data set holds no picture in this row",  # a path on this machine is not followed
        "the data set holds no picture in this row",
        "not a jpg, png or webp picture",
    ]
    assert [row["columns"]["value"] for row in by_bin[:3]] == ["0", "10", "60"]
    assert not any("value" in row["columns"] for row in by_label)
    assert "key.label: 'me/faces' has no column 'years'; its columns are image, age" in no_column
    assert "key.labels: 'cold' is no class" in no_class
    assert "cannot read 'me/faces' (test, main)" in no_split
    assert "cannot read 'me/nothing' (train, main)" in no_set
    assert not [path for path in hub.asked if "agent" in path or "telemetry" in path]


@pytest.mark.slow
def test_a_seed_draws_from_the_whole_split_and_keeps_no_other_file(ask, tmp_path):
    bins = {"cool": [0, 50], "warm": [60, 120]}
    two = {"bins": bins, "limit": 2, "licence": "research only"}
    first, drawn, same, other = ask(two, *(two | {"seed": n} for n in (3, 3, 4)))
    assert [row["columns"]["value"] for row in first] == ["0", "10", "60", "70"]
    assert sorted(row["label"] for row in drawn) == ["cool", "cool", "warm", "warm"]
    assert drawn == same and drawn != other and drawn != first
    assert {row["licence"] for row in drawn} == {"research only"}
    photos = {row["id"] for rows in (first, drawn, other) for row in rows if "id" in row}
    assert len(list((tmp_path / "downloads").iterdir())) <= len(photos)
