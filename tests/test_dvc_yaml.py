"""dvc.yaml: each stage depends on the code that its room imports, and on no other code.

What only watches (`stages.common.closure.WATCHERS`) may be left out, and so may empty files.
"""

from pathlib import Path

import pytest
import yaml

from stages.common.closure import ROOT, closure

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
CODE = ("stages", "app", "experiments")  # folders of code
# `register` runs whatever has changed.
CACHED = [name for name in STAGES if name != "register"]


def definition(stage: str) -> dict:
    return STAGES[stage].get("do", STAGES[stage])


def room(stage: str) -> list[str]:
    """All modules beside the one that the stage's command runs."""
    command = definition(stage)["cmd"]
    folder = ROOT.joinpath(*command.split(" -m ")[1].split()[0].split(".")[:2])
    files = sorted(path.relative_to(ROOT) for path in folder.rglob("*.py"))
    return [".".join(file.with_suffix("").parts) for file in files]


def code_deps(stage: str) -> set[Path]:
    """Those of its `deps` that are code: files, and folders that stand for all files in them."""
    return {ROOT / dep for dep in definition(stage)["deps"] if dep.split("/")[0] in CODE}


def parents(file: Path) -> set[Path]:
    """The file and the folders it is in."""
    return {file, *file.parents}


@pytest.mark.parametrize("stage", CACHED)
def test_deps_are_the_code_that_the_stage_imports(stage):
    modules, listed = room(stage), code_deps(stage)
    needed = {file for file in closure(*modules) if file.stat().st_size}
    imported = {each for file in closure(*modules, without=frozenset()) for each in parents(file)}
    add = sorted(file for file in needed if not listed & parents(file))
    lines = [f"add    - {file.relative_to(ROOT)}" for file in add]
    lines += [f"remove - {dep.relative_to(ROOT)}" for dep in sorted(listed - imported)]
    assert not lines, "\n".join([f"in dvc.yaml, deps of {stage}:", *lines])
