"""A tiny project, built once by the real `dvc repro`, for the tests that need a whole pipeline."""

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from hypothesis import Phase, settings

from benchmarks.checkout import copy_checkout
from stages.weights.known import CARRIER, PRETRAINED, YUNET
from tests.network_guard import guarded, lookups
from tests.params_yaml import alone, read_params, shipped

REPO = Path(__file__).resolve().parents[1]
# For `benchmarks.mutants`: the same examples each time, and none is made simpler once a test fails.
FIRST = [Phase.explicit, Phase.generate]
settings.register_profile("first_failure", phases=FIRST, derandomize=True, deadline=None)
# A busy machine makes an example slow: time is measured in benchmarks/.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
# One task with names that no code knows: a fifth task needs params.yaml alone.
TASK = "pets"
CLASSES = {"fox": "여우", "곰": "Bear", "owl": "Owl"}


def run_script(code: str, folder: Path) -> subprocess.CompletedProcess:
    """Python's `code` in a process of its own, which works in `folder`."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )


def imported_by(*command: str) -> set[str]:
    """The modules that `python -m ...` imports in the working folder; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", *command],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"^import time:.*\| *(\S+)$", done.stderr, re.MULTILINE))


@pytest.fixture(scope="session")
def real_sface() -> Path:
    """SFace's file, from the package that the set-up brings if it can be had."""
    return carried(PRETRAINED["face"].file)


@pytest.fixture(scope="session")
def real_yunet() -> Path:
    """The same of YuNet's."""
    return carried(YUNET[0].file)


def carried(name: str) -> Path:
    try:
        files = metadata.files(CARRIER) or []
    except metadata.PackageNotFoundError:
        files = []
    found = [Path(str(each.locate())) for each in files if each.name == name]
    if not found:
        pytest.skip(f"{name} is not installed (the package {CARRIER})")
    return found[0]


def tiny_params() -> dict:
    task = shipped()["tasks"]["harry"]
    task |= {"title": "Which pet <b>are</b> you?", "classes": CLASSES}
    task["collect"]["sources"][0] |= {"people": 6, "photos": 2, "wild": 3, "size": 192}
    task["augment"] = {"copies": 5, "size": 32}
    [network] = shipped()["defaults"]["baseline"]["networks"]
    task["baseline"] = {"networks": [network | {"epochs": 1, "samples_per_epoch": 60}]}
    search = {"max_trials": 1, "max_epochs": 2, "batch_size": 16, "blocks": ["edges"]}
    task["search"] = search  # the face network would take a minute, mostly in `evaluate`
    return alone(TASK, task)


# Fixtures that run DVC, or data that tests train networks on in processes of their own.
HEAVY = {"fresh", "built", "parts", "stage", "undisturbed"}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests with a heavy fixture are slow.

    With `-n 2` (pytest-xdist) each process takes a whole file at a time, or all tests of the built
    project. The longest come first, so that both processes end together.
    """
    ranks = {}
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        if fixtures & HEAVY:
            item.add_marker(pytest.mark.slow)
        group = "built" if fixtures & {"fresh", "built"} else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
        slow = item.get_closest_marker("slow") is not None
        ranks[item] = 0 if group == "built" else 1 if "stage" in fixtures else 2 if slow else 3
    if hasattr(config, "workerinput"):
        items.sort(key=ranks.__getitem__)


class Project:
    """A checkout that commands are run in, as a user would."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def environment(self) -> dict[str, str]:
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "DVC_"))}
        venv = Path(sys.executable).parent
        clean |= {"PATH": f"{venv}{os.pathsep}{clean['PATH']}"}
        return guarded(clean, self.path.parent / "network.log")

    def lookups(self) -> list[str]:
        """Other machines that the commands run here have looked up or connected to."""
        return lookups(self.path.parent / "network.log")

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run(
            command,
            cwd=self.path,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(f"{command} failed:\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}")
        return done

    def repro(self, *arguments: str) -> list[str]:
        """The stages that `dvc repro` ran."""
        return re.findall(r"Running stage '(.+)'", self.run("dvc", "repro", *arguments).stdout)

    def edit_params(self, edit) -> None:
        params = read_params(self.path)
        edit(params)
        self.write_params(params)

    def write_params(self, params: dict) -> None:
        text = yaml.safe_dump(params, allow_unicode=True, sort_keys=False)
        (self.path / "params.yaml").write_text(text, "utf-8")

    def commit(self) -> None:
        self.run("git", "add", "-A")
        self.run("git", "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "work")

    def copy_to(self, path: Path) -> "Project":
        shutil.copytree(self.path, path, symlinks=True)
        return Project(path)


@pytest.fixture(scope="session")
def fresh(tmp_path_factory) -> Project:
    """This checkout's files, tiny parameters, nothing built."""
    project = Project(copy_checkout(tmp_path_factory.mktemp("fresh") / "project"))
    project.write_params(tiny_params())
    project.commit()
    return project


@pytest.fixture(scope="session")
def built(fresh, tmp_path_factory) -> Project:
    """The same, after one `dvc repro`. Tests that change anything take a copy."""
    project = fresh.copy_to(tmp_path_factory.mktemp("built") / "project")
    project.ran = project.repro()
    project.commit()
    return project
