"""An edit of code re-runs the stages whose results it may change, and no others."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from benchmarks.mutants import mutants
from stages.code.code import ITSELF, files, listing, rooms
from stages.common import closure as closure_module
from stages.common.closure import ROOT

STAGES = {
    name: stage.get("do", stage)
    for file in ("dvc.yaml", "export/dvc.yaml")
    for name, stage in yaml.safe_load((ROOT / file).read_text("utf-8"))["stages"].items()
}
# What fills MLflow runs whatever has changed.
LISTED = [name for name in STAGES if name not in {*ITSELF, "register", "register_export"}]


@pytest.mark.parametrize("stage", LISTED)
def test_a_stage_depends_on_the_code_of_the_room_that_it_runs(stage):
    room = STAGES[stage]["cmd"].split("-m stages.")[1].split()[0].split(".")[0]
    code = [dep for dep in STAGES[stage]["deps"] if dep.split("/")[0] in {"stages", "app"}]
    assert code == [] and f"data/code/{room}.txt" in STAGES[stage]["deps"]
    assert room in rooms()


def test_the_list_is_made_anew_when_a_listed_file_changes():
    watched = {ROOT / dep for dep in STAGES["code"]["deps"]}
    for room in rooms():
        assert all(watched & set(path.parents) for path in files(room)), room


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the code, which a test may edit."""
    for folder in STAGES["code"]["deps"]:
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.setattr(closure_module, "ROOT", tmp_path)
    monkeypatch.setattr("stages.code.code.ROOT", tmp_path)
    closure_module._imported.cache_clear()
    yield tmp_path
    closure_module._imported.cache_clear()


@pytest.mark.parametrize(
    ("file", "stages"),
    {
        "stages/split/groups.py": {"split"},
        "stages/report/templates/style.css": {"report"},
        "stages/collect/commons_lists/idol.yaml": {"collect"},
        "stages/records/splits.py": {
            *("augment", "collect", "evaluate", "export", "promote", "report", "search", "split"),
            "suspects",
        },
        "stages/matte/grabcut.py": {"export", "matte", "promote"},  # two answer photos
        "app/chain.py": {"export", "promote"},
        "app/page/main.js": set(),
        "stages/common/errors.py": set(),  # says, and does not decide
        "stages/tracking/mirror.py": set(),
    }.items(),
)
def test_an_edit_changes_the_lists_of_the_stages_that_it_may_change(checkout, file, stages):
    before = {room: listing(room) for room in rooms()}
    with (checkout / file).open("a") as out:
        out.write("\n")
    after = {room: listing(room) for room in rooms()}
    assert {room for room in before if before[room] != after[room]} == stages


def test_a_new_import_is_listed(checkout):
    assert not any("records/chain.py" in line for line in listing("split").splitlines())
    with (checkout / "stages/split/groups.py").open("a") as out:
        out.write("\nimport stages.records.chain\n")
    closure_module._imported.cache_clear()
    assert any("records/chain.py" in line for line in listing("split").splitlines())


def test_sha256sum_accepts_a_list(tmp_path: Path):
    path = tmp_path / "split.txt"
    path.write_text(listing("split"))
    subprocess.run(["sha256sum", "--check", "--quiet", path], cwd=ROOT, check=True)


def test_each_change_of_the_mutants_is_of_code_that_is_there():
    lost = [each for each in mutants() if (ROOT / each.file).read_text().count(each.old) != 1]
    assert lost == []
