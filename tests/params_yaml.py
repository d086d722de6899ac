"""Projects' params.yaml for tests."""

import copy
from pathlib import Path
from typing import Any

import yaml

from stages.common.files import new_folder
from stages.params.merge import merge, write
from stages.records.params import FOLDER

REPO = Path(__file__).resolve().parents[1]


def shipped() -> dict[str, Any]:
    """params.yaml of this repository."""
    return read_params(REPO)


def complete() -> dict[str, Any]:
    """The same, but each task names every parameter, so that a test can change any.

    And searches learn the classes alone, so that a test may take `bins` away.
    """
    content = shipped()
    for name, own in content["tasks"].items():
        task = merge(copy.deepcopy(content["defaults"]), own)
        content["tasks"][name] = merge(task, {"search": {"fine": None}})
    return content


def read_params(project: Path = Path()) -> dict[str, Any]:
    return yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))


def write_params(content: dict[str, Any], project: Path = Path()) -> None:
    """params.yaml and data/params, as `python -m stages.params` makes it."""
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (project / "params.yaml").write_text(text, encoding="utf-8")
    with new_folder(project / FOLDER) as out:
        write(project / "params.yaml", out)


def alone(name: str, task: dict[str, Any]) -> dict[str, Any]:
    """params.yaml of a project with this task and no network."""
    weights = {"local": None, "download": False}
    return {"weights": weights, "defaults": shipped()["defaults"], "tasks": {name: task}}
