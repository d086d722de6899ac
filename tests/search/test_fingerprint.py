"""What makes a search another one, so that its kept trials do not count; and what does not."""

import shutil

import keras
import pytest

from stages.common import closure as closure_module
from stages.common import version as version_module
from stages.common.files import digest_folders
from stages.search import fingerprint as module
from stages.search.fingerprint import fingerprint
from tests.search.conftest import REPO, plan


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A copy of this repository's code, which `fingerprint` takes for the real one."""
    shutil.copytree(REPO / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("*.pyc"))
    monkeypatch.setattr(closure_module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "TRIAL", tmp_path / "stages/search/trial")
    closure_module._imported.cache_clear()
    yield tmp_path / "stages"
    closure_module._imported.cache_clear()


def edit(file):
    assert file.exists()
    with file.open("a") as text:
        text.write("# a comment\n")


@pytest.mark.parametrize(
    "file",
    [
        "tracking/mirror.py",
        "records/attempts.py",
        "search/journal/journal.py",
        "search/journal/progress.py",
        "search/processes/driver.py",
        "search/processes/supervise.py",
        "search/control.py",
        "common/door.py",
    ],
)
def test_code_that_watches_trials_is_not_part_of_it(parts, code, file):
    before = fingerprint(plan(parts, 3), "data")
    edit(code / file)
    assert fingerprint(plan(parts, 3), "data") == before


@pytest.mark.parametrize(
    "file",
    [
        "records/shards.py",
        "networks/batches.py",
        "search/trial/space.py",
        "search/trial/lesson.py",
        "records/objective.py",
    ],
)
def test_code_that_decides_trials_is_part_of_it(parts, code, file):
    before = fingerprint(plan(parts, 3), "data")
    edit(code / file)
    assert fingerprint(plan(parts, 3), "data") != before


def test_data_and_parameters_are_part_of_it_but_not_how_much_is_searched(parts):
    train, val = parts[3]
    data = digest_folders(train.folder, val.folder)
    assert data != digest_folders(train.folder, parts[2][1].folder)
    base = fingerprint(plan(parts, 3), data)
    elsewhere = {"workers": 2, "cpus": 1, "gpus": 1}
    assert base == fingerprint(plan(parts, 3, max_trials=9, max_minutes=5, **elsewhere), data)
    assert base != fingerprint(plan(parts, 3, seed=9), data)
    assert base != fingerprint(plan(parts, 3, blocks=["residual"]), data)
    assert base != fingerprint(plan(parts, 3), "other")
    assert base != fingerprint(plan(parts, 2), data)


def test_the_content_of_the_pretrained_files_in_use_is_part_of_it(parts, tmp_path):
    file, unused = tmp_path / "a.h5", tmp_path / "b.h5"
    file.write_bytes(b"one")
    unused.write_bytes(b"one")
    files = {"squeezenet": file, "xception": unused}
    wanted = plan(parts, 3, files, blocks=["squeezenet"], pretrained=True)
    before = fingerprint(wanted, "data")
    unused.write_bytes(b"another")
    assert fingerprint(wanted, "data") == before
    file.write_bytes(b"another")
    assert fingerprint(wanted, "data") != before


def test_the_backend_counts_by_its_real_name(parts, monkeypatch):
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    by_default = fingerprint(plan(parts, 3), "data")
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert fingerprint(plan(parts, 3), "data") == by_default
    monkeypatch.setattr(keras.config, "backend", lambda: "numpy")
    assert fingerprint(plan(parts, 3), "data") != by_default


def test_versions_are_part_of_it(parts, monkeypatch):
    installed = version_module.metadata.version
    base = fingerprint(plan(parts, 3), "data")
    for changed in ("autokeras", "keras-tuner", "keras", "tensorflow"):
        monkeypatch.setattr(
            version_module.metadata,
            "version",
            lambda name, changed=changed: "99" if name == changed else installed(name),
        )
        assert fingerprint(plan(parts, 3), "data") != base
