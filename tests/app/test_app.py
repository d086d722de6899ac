"""python -m app, as a user runs it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.promote.mini import REPO, TASK

pytestmark = pytest.mark.slow


def app(folder: Path, *photos: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(REPO), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-m", "app", *photos],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def files(folder: Path) -> dict:
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_every_task_answers_and_nothing_is_written(copy):
    other = copy / "data/promote/other"
    shutil.copytree(copy / "data/promote" / TASK, other)
    (other / "champion").rename(other / "challenger")
    promotion = json.loads((other / "promotion.json").read_text())
    promotion["gates"][0]["passed"] = False
    (other / "promotion.json").write_text(json.dumps(promotion))
    photo = next((copy / "data/raw" / TASK / "images").iterdir())
    before = files(copy)
    done = app(copy, str(photo), "params.yaml")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("params.yaml\n")
    assert first.count("Personal colour: ") == 2 and first.count("%)") == 2
    assert (
        first.count(f"not promoted, its network did not pass: {promotion['gates'][0]['gate']}") == 1
    )
    assert "no answer: not a jpg, png or webp picture" in second
    assert f"drawn faces only: what other, {TASK} say about a real face means nothing" in first
    assert files(copy) == before


def test_a_folder_that_is_being_written_and_a_pipe_are_left_alone(copy):
    shutil.copytree(copy / "data/promote" / TASK, copy / f"data/promote/.{TASK}.part")
    os.mkfifo(copy / "pipe")
    done = app(copy, "pipe")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ERROR: pipe: not a file"
    done = app(copy, "params.yaml")
    assert done.stdout.count("no answer") == 1


def test_without_a_champion_or_a_photo_it_says_so(copy, tmp_path):
    missing = app(copy, "nowhere.jpg")
    assert missing.returncode == 1
    assert "nowhere.jpg: No such file" in missing.stderr
    (tmp_path / "empty").mkdir()
    none = app(tmp_path / "empty", "photo.jpg")
    assert none.returncode == 1
    assert "no network in data/promote" in none.stderr and "dvc repro" in none.stderr
    assert "Traceback" not in missing.stderr + none.stderr
