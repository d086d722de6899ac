"""Both rooms with a scratch: what is computed again after which edit, and after which kill -9."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from stages.collect.synthetic import draw, plan
from stages.common.images import write_png
from stages.extract import __main__ as extract_door
from stages.extract import extract as extract_room
from stages.matte import __main__ as matte_door
from stages.matte import matte as matte_room
from stages.records.folders import Folders, picture, pictures
from stages.records.manifest import MANIFEST
from stages.records.weights import WEIGHTS
from tests.extract.test_extract import PHOTO
from tests.params_yaml import alone, complete, read_params, write_params
from tests.weights_folder import write_weights

pytestmark = pytest.mark.slow  # a pipeline up to the cut-outs for each test

REPO = Path(__file__).parents[2]
TASK = "pets"
CLASSES = {"fox": "Fox", "owl": "Owl"}
PHOTOS = 14


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Photos and parameters as `collect` and `weights` leave them."""
    root = tmp_path_factory.mktemp("project")
    task = next(iter(complete()["tasks"].values())) | {"classes": CLASSES, "bins": None}
    task["extract"] |= {"size": 96, "drop": []}
    write_params(alone(TASK, task), root)
    at = Folders(TASK, root)
    pictures(at.raw).mkdir(parents=True)
    write_weights(at.weights)
    specs = plan(CLASSES, signal="geometry", people=PHOTOS, photos=1, wild=0, size=128, seed=7)
    for number, spec in enumerate(specs):
        add_photo(root, number, draw(spec))
    return root


def add_photo(root, number, photo):
    raw = Folders(TASK, root).raw
    write_png(picture(raw, f"p{number:02}"), photo.image)
    ids = sorted(path.stem for path in pictures(raw).iterdir())
    label = {id: list(CLASSES)[int(id[1:]) % 2] for id in ids}
    MANIFEST.write(raw, [replace(PHOTO, id=id, label=label[id]) for id in ids])


@pytest.fixture
def room(project, tmp_path, monkeypatch):
    """A copy of the project, with both stages run in it once; `ran()` runs them and counts."""
    root = tmp_path / "copy"
    shutil.copytree(project, root)
    monkeypatch.chdir(root)
    counts = {"extract": 0, "matte": 0}
    for name, module in (("extract", extract_room), ("matte", matte_room)):
        one = module._one

        def counted(*args, name=name, one=one):
            counts[name] += 1
            return one(*args)

        monkeypatch.setattr(module, "_one", counted)
    monkeypatch.setattr("stages.common.reuse.FEW", 1000)  # all in this process, where it counts

    def ran():
        counts.update(extract=0, matte=0)
        extract_door.main(TASK)
        matte_door.main(TASK)
        return counts["extract"], counts["matte"]

    assert ran() == (2 * PHOTOS, 2 * PHOTOS)
    return ran


ALL = 2 * PHOTOS


def edit(change):
    params = read_params()
    change(params["tasks"][TASK])
    write_params(params)


def test_nothing_changed(room):
    before = digests(Path("data"))
    assert room() == (0, 0)
    assert digests(Path("data")) == before


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("split", "seed", 77),
        ("augment", "copies", 3),
        ("extract", "drop", ["pose"]),
        ("matte", "quality", {"small": 0.2, "large": 0.9}),
    ],
)
def test_parameters_that_decide_no_pixel(room, section, key, value):
    edit(lambda task: task[section].update({key: value}))
    assert room() == (0, 0)


@pytest.mark.parametrize(
    ("key", "value"), [("size", 80), ("face_width", 0.6), ("face", "central"), ("min_score", 0.6)]
)
def test_parameters_of_the_crop(room, key, value):
    edit(lambda task: task["extract"].update({key: value}))
    faces, mattes = room()
    assert faces == ALL
    assert mattes == (ALL if key in ("size", "face_width") else 0)  # the same crops: nothing to do


def test_a_new_photo_costs_one(room):
    photo = draw(plan(["x"], signal="age", people=1, photos=1, wild=0, size=128, seed=9)[0])
    add_photo(Path(), 2 * PHOTOS, photo)
    assert room() == (1, 1)


def test_other_pixels_under_an_old_name(room):
    photo = draw(plan(["x"], signal="age", people=1, photos=1, wild=0, size=128, seed=11)[0])
    add_photo(Path(), 3, photo)
    assert room() == (1, 1)


def test_code(room, monkeypatch, tmp_path):
    edited = tmp_path / "crop.py"
    edited.write_text("changed")
    monkeypatch.setattr(extract_room, "closure", lambda module: [edited])
    assert room() == (ALL, 0)
    monkeypatch.setattr(matte_room, "closure", lambda module: [edited])
    assert room() == (0, ALL)


def test_weights_of_the_segmenter(room, monkeypatch):
    """The detector's results do not depend on them."""
    weights = Folders(TASK).weights
    write_weights(weights, file="net.onnx")
    (weights / "net.onnx").write_bytes(b"1")
    assert room() == (0, ALL)
    (weights / "net.onnx").write_bytes(b"2")
    assert room() == (0, ALL)
    assert room() == (0, 0)


def test_weights_of_the_detector(room):
    weights = Folders(TASK).weights
    cascade = WEIGHTS.read(weights).detector.path(weights)
    cascade.write_text(cascade.read_text() + "<!-- 1 -->")
    assert room() == (ALL, 0)
    cascade.write_text(cascade.read_text() + "<!-- 2 -->")
    assert room() == (ALL, 0)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


# Imports first, so that more of the moments at which it is killed fall into its work
WARM = """
import importlib, sys, rembg
from stages.common import reuse
reuse.FEW = 1000
door = importlib.import_module(f"stages.{sys.argv[1]}.__main__")
print("ready", flush=True)
sys.stdin.readline()
door.main(sys.argv[2])
"""


def victim(stage, *, warm):
    """A stage in a process of its own: warm and waiting for `go`, or as a user starts it."""
    command = ["-c", WARM, stage, TASK] if warm else ["-m", f"stages.{stage}", TASK]
    return subprocess.Popen(
        [sys.executable, *command],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def go(process, warm):
    if warm:
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("\n")
        process.stdin.flush()
    return time.monotonic()


DOORS = {"extract": extract_door, "matte": matte_door}


@pytest.mark.parametrize("stage", DOORS)
def test_killed_ten_times_at_random_moments(project, tmp_path, monkeypatch, stage):
    """The next run is whole, and the same to the byte as one that nobody disturbed."""
    monkeypatch.chdir(shutil.copytree(project, tmp_path / "copy"))
    if stage == "matte":
        extract_door.main(TASK)
    name = {"extract": "faces", "matte": "mattes"}[stage]
    out, scratch = Path("data") / name, Path(".cache") / name
    seconds = {}
    for warm in (False, True):
        shutil.rmtree(scratch, ignore_errors=True)
        process = victim(stage, warm=warm)
        began = go(process, warm)
        assert process.wait(60) == 0
        seconds[warm] = time.monotonic() - began
    expected = digests(out)
    assert len(expected) > PHOTOS
    monkeypatch.setattr("stages.common.reuse.FEW", 1000)
    rng, found = random.Random(stage), []
    waiting = [victim(stage, warm=True) for _ in range(8)]
    for warm in [True] * 8 + [False] * 2:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(out, ignore_errors=True)
        process = waiting.pop() if warm else victim(stage, warm=False)
        go(process, warm)
        time.sleep(rng.uniform(0 if warm else 0.6, 1) * seconds[warm])
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        found.append(len(list(scratch.rglob("*.json"))))
        DOORS[stage].main(TASK)
        assert digests(out) == expected
        assert not list(Path("data").rglob(".*.part"))
    assert any(0 < number < ALL for number in found)  # some were killed in the midst of it
