import copy
from pathlib import Path

import pytest
import yaml

from stages.common.errors import UserError
from stages.records.params import load

DEFAULTS = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"))
TASK = next(iter(DEFAULTS["tasks"]))


@pytest.fixture
def refused(tmp_path):
    """The message that `load` refuses params.yaml with, once `value` stands at `keys` in it."""

    def message(value, *keys):
        content = copy.deepcopy(DEFAULTS)
        section = content
        for key in keys[:-1]:
            section = section[key]
        if value is None:
            del section[keys[-1]]
        else:
            section[keys[-1]] = value
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")
        with pytest.raises(UserError) as error:
            load(path)
        return str(error.value)

    return message


def test_defaults_are_valid_and_frozen():
    params = load(Path(__file__).parents[2] / "params.yaml")
    assert list(params.tasks) == list(DEFAULTS["tasks"])
    with pytest.raises(ValueError, match="frozen"):
        params.weights.download = False


def test_unknown_key_is_named(refused):
    assert f"tasks.{TASK}.search.epochs: unknown key" in refused(
        9, "tasks", TASK, "search", "epochs"
    )


def test_missing_key_is_named(refused):
    assert f"tasks.{TASK}.split.val: missing" in refused(None, "tasks", TASK, "split", "val")


@pytest.mark.parametrize(
    ("section", "key", "value", "allowed"),
    [
        ("split", "val", "half", "valid number"),
        ("split", "val", 1.5, "less than 1"),
        ("augment", "copies", 0, "greater than or equal to 1"),
        ("search", "blocks", ["vgg"], "'vanilla'"),
    ],
)
def test_wrong_value_names_key_value_and_what_is_allowed(refused, section, key, value, allowed):
    message = refused(value, "tasks", TASK, section, key)
    shown = value[0] if isinstance(value, list) else value
    assert f"tasks.{TASK}.{section}.{key}" in message
    assert repr(shown) in message
    assert allowed in message


URLS = {"source": "urls", "file": "a.csv", "contact": "a@b.c"}
COMMONS = {"source": "commons", "contact": "a@b.c", "licences": ["CC0"], "limit": 1}
HUB = {"source": "huggingface", "dataset": "a/b", "split": "train", "image": "i", "label": "l"}


@pytest.mark.parametrize(
    ("source", "key", "said"),
    [
        ({"source": "web"}, "", "'folder', 'synthetic', 'urls', 'commons', 'huggingface'"),
        ({"source": "folder", "person": "anna"}, ".person", "'anna': needs a (group)"),
        ({"source": "folder", "person": "("}, ".person", "'(': not a regular expression"),
        ({"source": "folder", "file": "a.csv"}, ".file", "unknown key"),
        ({"source": "urls", "contact": "a@b.c"}, ".file", "missing"),
        (URLS | {"contact": "nobody"}, ".contact", "'nobody'"),
        (URLS | {"contact": "a@b\nEvil: 1"}, ".contact", "pattern"),
        (COMMONS, "", "either a file or classes"),
        (COMMONS | {"classes": {"a": [{"person": "x"}]}}, ".classes.a.0", "category or a search"),
        (HUB | {"limit": 5}, "", "either labels or bins"),
        (HUB | {"labels": {1: "a"}, "limit": 0}, ".limit", "0: "),
    ],
)
def test_wrong_source_is_named_by_its_number(refused, source, key, said):
    good = DEFAULTS["tasks"][TASK]["collect"]["sources"][0]
    message = refused([good, source], "tasks", TASK, "collect", "sources")
    assert f"tasks.{TASK}.collect.sources.1{key}: " in message and said in message


def test_every_wrong_key_is_named_at_once(refused):
    bad = {**DEFAULTS["tasks"][TASK]["split"], "val": 2, "seeds": 1}
    message = refused(bad, "tasks", TASK, "split")
    assert "split.val: 2:" in message and "split.seeds: unknown key" in message


def test_shares_must_leave_room_for_train(refused):
    bad = {**DEFAULTS["tasks"][TASK]["split"], "val": 0.5, "test": 0.5}
    assert f"tasks.{TASK}.split: val + test is 1" in refused(bad, "tasks", TASK, "split")


def test_bad_task_name_is_named_and_not_the_whole_task(refused):
    message = refused(DEFAULTS["tasks"][TASK], "tasks", "Age 2")
    assert "task 'Age 2': use lower-case letters" in message
    assert len(message) < 300


@pytest.mark.parametrize("name", ["wild", "..", "a/b", "a\\b"])
def test_class_that_cannot_be_a_folder_is_named(refused, name):
    message = refused({name: "x", "other": "y"}, "tasks", TASK, "classes")
    assert f"tasks.{TASK}.classes" in message and repr(name) in message


def test_one_class_is_not_enough(refused):
    assert "at least 2 items" in refused({"only": "x"}, "tasks", TASK, "classes")


def test_unknown_task_lists_the_known_ones():
    params = load(Path(__file__).parents[2] / "params.yaml")
    with pytest.raises(UserError, match=f"no task 'agee'.*{TASK}"):
        params.task("agee")


@pytest.mark.parametrize("text", ["", "- 1", "tasks: [", "tasks: {}"])
def test_file_that_is_no_params_at_all(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="params.yaml"):
        load(path)


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nowhere\.yaml"):
        load(tmp_path / "nowhere.yaml")
