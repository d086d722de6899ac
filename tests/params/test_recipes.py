"""recipes/*.yaml are complete params.yaml files; tests/collect/test_recipes_collect.py runs
them."""

import pytest
import yaml

from stages.params.merge import load
from stages.records.sources import Commons, Folder, HuggingFace
from tests.params_yaml import REPO

RECIPES = sorted((REPO / "recipes").glob("*.yaml"))
SHIPPED = load(REPO / "params.yaml").tasks


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_short_and_asks_the_questions_of_the_project(path):
    tasks = load(path).tasks
    for name, task in tasks.items():
        shipped = SHIPPED[name]
        assert (task.title, task.classes, task.bins) == (
            shipped.title,
            shipped.classes,
            shipped.bins,
        )
        assert task.weights.download
    assert len(path.read_text("utf-8").splitlines()) <= 120


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_has_the_keys_of_params_yaml_in_their_order(path):
    def keys(section):
        return [(k, keys(v)) for k, v in section.items()] if isinstance(section, dict) else None

    def content(file):
        return yaml.safe_load(file.read_text("utf-8"))

    assert keys(content(path)["defaults"]) == keys(content(REPO / "params.yaml")["defaults"])


def test_folder_yaml_has_every_task_with_a_folder_of_its_own():
    tasks = load(REPO / "recipes/folder.yaml").tasks
    assert list(tasks) == list(SHIPPED)
    for name, task in tasks.items():
        assert str(task.collect.path) == f"photos/{name}"
        assert all(isinstance(source, Folder) for source in task.collect.sources)


def test_web_yaml_runs_in_a_fresh_clone_and_leaves_out_what_nobody_serves():
    tasks = load(REPO / "recipes/web.yaml").tasks
    assert set(SHIPPED) - set(tasks) == {"tone"}
    for task in tasks.values():
        [source] = task.collect.sources
        assert (REPO / task.collect.path).is_dir()  # DVC watches it
        assert isinstance(source, HuggingFace | Commons) and not getattr(
            source, "allow_private", False
        )
        if isinstance(source, Commons):
            assert source.file and (REPO / task.collect.path / source.file).is_file()
            assert not any("NC" in licence or "ND" in licence for licence in source.licences)
