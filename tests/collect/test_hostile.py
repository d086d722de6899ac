"""A smaller run of `python -m benchmarks.fuzz_collect`, which takes 10,000 files and 20 kills."""

import time

import pytest

from benchmarks import fuzz_collect as fuzz
from tests.text_table import read_table

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A project that has collected 700 hostile files: (its folder, names, seconds it took)."""
    path = tmp_path_factory.mktemp("hostile")
    names = fuzz.write_hostile(path / "photos", 700, seed=1)
    project = fuzz.project(path / "project", path / "photos")
    began = time.monotonic()
    process = fuzz.start(project)
    _, errors = process.communicate(timeout=120)  # no hang
    assert process.returncode == 0, errors[-3000:]  # no crash
    return project, names, time.monotonic() - began


def test_every_hostile_file_is_accounted_for_once(hostile):
    project, names, _ = hostile
    found = fuzz.accounted(project)
    assert set(found) == names and set(found.values()) == {1}
    manifest = read_table(project / "data/raw/age/manifest.csv")
    rejected = read_table(project / "data/raw/age/rejected.csv")
    assert len(manifest) + len(rejected) == len(names) == 700
    assert {f"{label}/good{n}.jpg" for n, label in enumerate(3 * fuzz.LABELS)} <= set(manifest.name)
    assert (rejected.reason != "").all() and not rejected.reason.str.contains(" at 0x").any()
    for word in ("symbolic link", "megapixels", "not a jpg", "cut short", "scans", "regular file"):
        assert rejected.reason.str.contains(word).any(), word


def test_nothing_from_outside_of_the_folder_came_in(hostile):
    project, _, _ = hostile
    secret = (project.parent / "secret.jpg").read_bytes()
    images = list((project / "data/raw/age/images").iterdir())
    assert all(image.read_bytes() != secret for image in images)
    ids = set(read_table(project / "data/raw/age/manifest.csv").id)
    assert {image.stem for image in images} == ids
    assert {image.suffix for image in images} <= {".jpg", ".png", ".webp"}


def test_killed_at_random_moments_the_next_run_gives_the_same(tmp_path):
    fuzz.write_hostile(tmp_path / "photos", 60)
    path = fuzz.project(tmp_path / "project", tmp_path / "photos")
    began = time.monotonic()
    fuzz.start(path).communicate()
    seconds, whole = time.monotonic() - began, fuzz.outputs(path)
    assert len(whole) > 10
    assert all(fuzz.kill_and_repeat(path, whole, seconds, seed) for seed in range(3))
