import copy

import pytest
import yaml

from stages.common.errors import UserError
from stages.params.merge import load, merge, write
from stages.records.params import read
from stages.records.sources import HuggingFace
from tests.params_yaml import REPO, alone, complete, shipped

FULL = complete()
TASK = next(iter(FULL["tasks"]))


@pytest.fixture
def saved(tmp_path):
    def save(content):
        path = tmp_path / "params.yaml"
        path.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), "utf-8")
        return path

    return save


def changed(content, value, *keys):
    """A copy of `content` with `value` at `keys`; without that key where it is None."""
    content = copy.deepcopy(content)
    section = content
    for key in keys[:-1]:
        section = section[key]
    if value is None:
        del section[keys[-1]]
    else:
        section[keys[-1]] = value
    return content


@pytest.fixture
def refused(saved):
    """The message that `load` refuses params.yaml with, once it has `value` at `keys`."""

    def message(value, *keys):
        with pytest.raises(UserError) as error:
            load(saved(changed(FULL, value, *keys)))
        return str(error.value)

    return message


def test_the_shipped_file_is_valid_and_frozen():
    params = load(REPO / "params.yaml")
    assert list(params.tasks) == list(FULL["tasks"])
    with pytest.raises(ValueError, match="frozen"):
        params.tasks[TASK].weights.download = False


def test_the_shipped_file_is_short():
    lines = (REPO / "params.yaml").read_text("utf-8").splitlines()
    assert len(lines) <= 120
    assert len(lines) - lines.index("  harry:") <= 12  # the fewest that a fifth task needs


def test_mappings_are_merged_and_all_else_is_replaced():
    defaults = {"a": {"b": {"c": 1, "d": 2}, "list": [1, 2]}, "null": None, "map": {"x": 1}, "e": 5}
    own = {"a": {"b": {"c": 3}, "list": [4]}, "null": {"y": 1}, "map": None, "own": 6}
    before = copy.deepcopy((defaults, own))
    assert merge(defaults, own) == {
        "a": {"b": {"c": 3, "d": 2}, "list": [4]},
        "null": {"y": 1},
        "map": None,
        "e": 5,
        "own": 6,
    }
    assert (defaults, own) == before


def test_a_task_has_the_defaults_but_for_its_own(saved):
    own = {"face_width": 0.3, "quality": {"dark": 1}, "drop": ["blur"]}
    task = load(saved(changed(shipped(), own, "tasks", TASK, "extract"))).tasks[TASK]
    default = shipped()["defaults"]["extract"]
    expected = default | own | {"quality": default["quality"] | own["quality"], "drop": ("blur",)}
    assert task.extract.model_dump() == expected


@pytest.mark.parametrize(
    ("value", "keys", "said"),
    [
        (9, ("defaults", "search", "max_trial"), "defaults.search.max_trial: unknown key"),
        (0, ("defaults", "search", "max_trials"), "defaults.search.max_trials: 0: "),
        (-1, ("defaults", "extract", "quality", "dark"), "defaults.extract.quality.dark: -1: "),
        (None, ("defaults", "split", "val"), "defaults.split.val: missing"),
        (None, ("defaults", "split"), "defaults.split: missing"),
        (None, ("defaults",), "defaults: missing"),
        (0.8, ("defaults", "split", "val"), "defaults.split.val: 0.8: val + test is 1;"),
        ("x", ("defaults", "titel"), "defaults.titel: unknown key"),
        ({}, ("defaults", "collect"), "defaults.collect: unknown key"),
        ("none", ("defaults", "search"), "defaults.search: 'none': must be a mapping"),
        ([], ("defaults",), "defaults: []: must be a mapping"),
        (["vgg"], ("defaults", "search", "blocks"), "defaults.search.blocks.0: 'vgg': "),
        ("no", ("weights", "local_"), "weights.local_: unknown key"),
        (None, ("weights", "local"), "weights.local: missing"),
        (None, ("weights",), "weights: missing"),
    ],
)
def test_what_is_wrong_for_all_tasks_is_named_once(saved, value, keys, said):
    content = changed(shipped(), value, *keys)
    with pytest.raises(UserError) as error:
        load(saved(content))
    lines = str(error.value).splitlines()[1:]
    assert sum(line.startswith(f"  {said}") for line in lines) == 1
    if isinstance(value, int | dict):  # where a whole section is missing, tasks lack its keys
        assert len(lines) == 1


@pytest.mark.parametrize(
    ("own", "said"),
    [
        ({"search": {"max_trial": 9}}, ".search.max_trial: unknown key"),
        ({"search": {"max_trials": 0}}, ".search.max_trials: 0: "),
        ({"search": None}, ".search: None: must be a mapping"),
        ({"serch": {}}, ".serch: unknown key"),
        ({"split": {"val": 0.8}}, ".split.val: 0.8: val + test is 1;"),
        ({"baseline": {"networks": [{"name": "age_cnn"}]}}, ".baseline.networks.0.epochs: missing"),
        ({"matte": {"session": "onnx"}}, ".matte.session: 'onnx': session onnx needs"),
        ({"matte": {"onnx": {"file": "a.onnx"}}}, ".matte.onnx.size: missing"),
        ({"kind": "regression", "bins": None}, ".kind: 'regression': kind regression needs bins"),
        (
            {"kind": "regression", "search": {"fine": "value"}},
            ".search.fine: 'value': kind regression has no finer",
        ),
        (
            {"search": {"fine": "value"}, "bins": None},
            ".search.fine: 'value': search.fine value needs bins",
        ),
        ({"title": None}, ".title: None: "),
        (
            {"promote": {"excuse": ["vgg", "hog"]}},
            ".promote.excuse.0: 'vgg': no such baseline is trained",
        ),
    ],
)
def test_what_is_wrong_in_a_task_is_named_there(saved, own, said):
    content = shipped()
    content["tasks"][TASK] = merge(content["tasks"][TASK], own)
    with pytest.raises(UserError) as error:
        load(saved(content))
    lines = str(error.value).splitlines()[1:]
    assert all(line.startswith(f"  tasks.{TASK}") for line in lines)
    assert any(line.startswith(f"  tasks.{TASK}{said}") for line in lines)


@pytest.mark.parametrize("key", ["title", "classes", "collect"])
def test_what_a_task_must_say_itself(saved, key):
    with pytest.raises(UserError) as error:
        load(saved(changed(shipped(), None, "tasks", TASK, key)))
    assert str(error.value).splitlines()[1:] == [f"  tasks.{TASK}.{key}: missing; add it"]


def test_wrong_defaults_and_wrong_tasks_are_named_together(saved):
    content = changed(shipped(), 0, "defaults", "search", "patience")
    content = changed(content, {"val": 2, "seeds": 1}, "tasks", "harry", "split")
    with pytest.raises(UserError) as error:
        load(saved(content))
    keys = [line.split(":")[0].strip() for line in str(error.value).splitlines()[1:]]
    assert keys == ["defaults.search.patience", "tasks.harry.split.val", "tasks.harry.split.seeds"]


def test_weights_are_no_matter_of_a_task(saved):
    with pytest.raises(UserError, match=r"tasks\.age\.weights: .*same for all tasks"):
        load(saved(changed(shipped(), {"download": False}, "tasks", "age", "weights")))


def test_what_is_written_is_what_is_read(saved, tmp_path):
    labels = {1: "fox", "zwei": "owl"}
    hub = HUB | {"labels": labels, "limit": 5}
    task = {"title": "여우", "classes": {"fox": "여우", "owl": "Owl"}}
    task["collect"] = {"path": "photos", "sources": [hub]}
    path = saved(alone("pets", task))
    folder = tmp_path / "data/params"
    folder.mkdir(parents=True)
    write(path, folder)
    assert read("pets", tmp_path) == load(path).tasks["pets"]
    [source] = read("pets", tmp_path).collect.sources
    assert isinstance(source, HuggingFace)
    assert source.labels == labels


def test_unknown_key_is_named(refused):
    assert f"tasks.{TASK}.search.epochs: unknown key" in refused(
        9, "tasks", TASK, "search", "epochs"
    )


def test_missing_key_is_named(refused):
    assert "defaults.split.val: missing" in refused(None, "defaults", "split", "val")


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
        ({"source": "web"}, ".source", "'folder', 'synthetic', 'urls', 'commons', 'huggingface'"),
        ({}, ".source", "missing; add it"),
        ({"source": "folder", "person": "anna"}, ".person", "'anna': needs a (group)"),
        ({"source": "folder", "person": "("}, ".person", "'(': not a regular expression"),
        ({"source": "folder", "file": "a.csv"}, ".file", "unknown key"),
        ({"source": "urls", "contact": "a@b.c"}, ".file", "missing"),
        (URLS | {"contact": "nobody"}, ".contact", "'nobody'"),
        (URLS | {"contact": "a@b\nEvil: 1"}, ".contact", "pattern"),
        (COMMONS, ".classes", "None: needs either a file or classes"),
        (
            COMMONS | {"classes": {"a": [{"person": "x"}]}},
            ".classes.a.0.category",
            "None: needs either a category or a search",
        ),
        (HUB | {"limit": 5}, ".labels", "None: needs either labels or bins"),
        (HUB | {"labels": {1: "a"}, "limit": 0}, ".limit", "0: "),
    ],
)
def test_wrong_source_is_named_by_its_number(refused, source, key, said):
    good = FULL["tasks"][TASK]["collect"]["sources"][0]
    message = refused([good, source], "tasks", TASK, "collect", "sources")
    assert f"tasks.{TASK}.collect.sources.1{key}: " in message and said in message


def test_every_wrong_key_is_named_at_once(refused):
    bad = {**FULL["tasks"][TASK]["split"], "val": 2, "seeds": 1}
    message = refused(bad, "tasks", TASK, "split")
    assert "split.val: 2:" in message and "split.seeds: unknown key" in message


def test_shares_must_leave_room_for_train(refused):
    bad = {**FULL["tasks"][TASK]["split"], "val": 0.5, "test": 0.5}
    assert f"tasks.{TASK}.split.val: 0.5: val + test is 1" in refused(bad, "tasks", TASK, "split")


def test_bad_task_name_is_named_and_not_the_whole_task(refused):
    message = refused(FULL["tasks"][TASK], "tasks", "Age 2")
    assert "tasks.'Age 2': 'Age 2': a task's name is of at most 40 lower-case" in message
    assert len(message) < 300


@pytest.mark.parametrize("name", ["wild", "..", "a/b", "a\\b"])
def test_class_that_cannot_be_a_folder_is_named(refused, name):
    message = refused({name: "x", "other": "y"}, "tasks", TASK, "classes")
    assert f"tasks.{TASK}.classes" in message and repr(name) in message


def test_one_class_is_not_enough(refused):
    assert "at least 2 items" in refused({"only": "x"}, "tasks", TASK, "classes")


def test_unknown_task_lists_the_known_ones():
    params = load(REPO / "params.yaml")
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
