"""params.yaml is taken or refused, whatever it holds, before anything runs: a line for each key."""

import copy
import json
import math
import os
import unicodedata

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stages.common.errors import UserError
from stages.params import merge
from stages.params.describe import json_schema
from stages.params.merge import load, write
from tests.params.test_merge import COMMONS, HUB, URLS, changed
from tests.params_yaml import REPO, alone, complete, shipped

TASK = "age"
FULL = complete() | {"tasks": {TASK: complete()["tasks"][TASK]}}
# What the shipped params.yaml does not use.
FULL["tasks"][TASK]["matte"]["onnx"] = {
    "file": "a.onnx", "size": 320, "mean": [0, 0, 0], "std": [1, 1, 1],
    "channel": 0, "activation": "none", "mirror": False,
}  # fmt: skip
FULL["tasks"][TASK]["collect"]["sources"] += [
    {"source": "folder", "folder": "a", "person": "(a)", "columns": "(?P<sex>a)"},
    URLS,
    COMMONS | {"classes": {"minor": [{"category": "x", "person": "y"}]}},
    HUB | {"limit": 5, "seed": 3, "bins": {"minor": [0, 18]}},
    HUB | {"limit": 5, "labels": {1: "minor"}},
]
ODD = [math.nan, math.inf, True, "5", "", "x" * 5000, "a\0b", -1, 10**30, 0.5, [], {}, None]
ODD += [b"x", [[]], {"a": 1}, "💥", "(" * 900, 2**63, -0.0]


# The fixtures below write the same file anew each time.
ANY = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def said(tmp_path):
    """The lines that params.yaml is refused with: one for each key; none if it is taken."""

    def lines(content):
        path = tmp_path / "params.yaml"
        if not isinstance(content, bytes):
            content = yaml.safe_dump(content, allow_unicode=True, sort_keys=False).encode()
        path.write_bytes(content)
        return _said(path)

    return lines


@pytest.fixture
def said_at_once(monkeypatch, tmp_path):
    """The same without a file: YAML takes 20 ms for each."""

    def lines(content):
        monkeypatch.setattr(merge, "_content", lambda path: content)
        return _said(tmp_path / "params.yaml")

    return lines


def _said(path):
    try:
        load(path)
    except UserError as error:
        message = str(error)
        assert str(path) in message
        return message.splitlines()[1:] if message.startswith(f"{path} is not valid") else [message]
    return []


def leaves(value, keys=()):
    """The keys of all values that are neither mappings nor lists, and of empty lists."""
    if not isinstance(value, dict | list) or not value:
        yield keys
        return
    for key, each in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(each, (*keys, key))


def at(content, keys):
    for key in keys:
        content = content[key]
    return content


def replaced(value, keys, content=FULL):
    if not keys:
        return value
    key, *rest = keys
    content = copy.copy(content)
    content[key] = replaced(value, rest, content[key])
    return content


def names(line, keys):
    """Whether the line is of the key, of a list's entry as a whole, or of what is below."""
    while isinstance(keys[-1], int) and not isinstance(at(FULL, keys), dict | list):
        if line.startswith(f"  {'.'.join(map(str, keys))}"):
            return True
        keys = keys[:-1]
    return line.startswith(f"  {'.'.join(map(str, keys))}")


LEAVES = [keys for keys in leaves(FULL) if keys[0] != "defaults"]


def test_an_odd_value_is_taken_or_refused_with_its_key_wherever_it_is(said_at_once):
    assert len(LEAVES) > 130 and said_at_once(FULL) == []
    for keys in LEAVES:
        for odd in ODD:
            for line in said_at_once(replaced(odd, keys)):
                assert names(line, keys), (keys, odd, line)
                assert len(line) < 600


def test_no_number_is_written_as_text_or_truth_and_no_whole_number_is_without_bounds(said_at_once):
    numbers = [keys for keys in LEAVES if type(at(FULL, keys)) in (int, float)]
    assert len(numbers) > 80
    for keys in numbers:
        for odd in (True, "5", "1e3", math.nan, -math.inf, b"5"):
            lines = said_at_once(replaced(odd, keys))
            assert any(names(line, keys) for line in lines), (keys, odd)
        if any("valid integer" in line for line in said_at_once(replaced(0.5, keys))):
            for odd in (10**30, -(10**30)):
                assert said_at_once(replaced(odd, keys)), (keys, odd)


def test_every_whole_number_of_the_schema_has_a_largest_value():
    found = []

    def look(schema, key):
        if isinstance(schema, dict):
            if schema.get("type") == "integer":
                found.append(key)
                assert "maximum" in schema, key
            for name, inner in schema.items():
                look(inner, f"{key}.{name}")
        elif isinstance(schema, list):
            for inner in schema:
                look(inner, key)

    look(json_schema(), "")
    assert len(found) > 40


@pytest.mark.slow
@ANY
@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
@example(b"\xff")
@example(b"[" * 5000)
@example(b"{a: " * 5000)
@example(b"- " * 5000)
@example(b"9" * 5000)
@example(b"tasks: 0x" + b"9" * 9000)
@example(b"!!timestamp x")
@example(b"!!bool x")
@example(b"!!int ''")
@example(b"2001-13-45")
@example(b"? [1]\n: 2")
@example(b"&a [*a]")
@example(b"defaults: &d {split: *d}\ntasks: {age: &t {split: *t}}")
def test_a_file_that_is_no_params_is_named(said, content):
    assert said(content)


@ANY
@given(st.data())
def test_any_tree_in_place_of_a_section_is_taken_or_refused(said_at_once, data):
    sections = sorted({keys[: n + 1] for keys in LEAVES for n in range(len(keys))}, key=str)
    keys = data.draw(st.sampled_from(sections))
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
    values = st.none() | st.booleans() | st.integers() | st.floats() | texts
    tree = st.recursive(
        values,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    )
    for line in said_at_once(replaced(data.draw(tree), keys)):
        assert line.startswith("  ")


def test_an_alias_that_holds_ten_to_the_ninth_values_is_refused_at_once(said):
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert any("a8: unknown key" in line for line in said("\n".join(rows).encode()))


@pytest.mark.parametrize("name", ["a" * 300, "a" * 41, "forget", "rollback", "findings", "나", "A"])
def test_a_task_that_cannot_have_its_name_is_refused(said, name):
    [line] = said(alone(name, shipped()["tasks"]["harry"]))
    assert line.startswith("  tasks.") and "name" in line


NFC = "곰"
REFUSED = [
    "",
    "unsure",
    "Unsure",
    "wild",
    "WILD",
    ".",
    "..",
    ".a",
    "a/b",
    "a\\b",
    "a:b",
    " a",
    "a ",
]
REFUSED += ["a\nb", "a\tb", "a\0b", "a\u200bb", "x" * 300, "곰" * 70]


@pytest.mark.parametrize("name", REFUSED)
def test_a_class_that_cannot_be_a_folder_of_its_own_is_refused(said, name):
    task = shipped()["tasks"]["harry"] | {"classes": {name: "x", "owl": "y"}}
    [line] = said(alone("pets", task))
    assert line.startswith("  tasks.pets.classes.")


@pytest.mark.parametrize(
    "twins", [("Fox", "fox"), (NFC, unicodedata.normalize("NFD", NFC)), ("straße", "STRASSE")]
)
def test_two_classes_that_one_disk_takes_for_one_are_refused(said, twins):
    task = shipped()["tasks"]["harry"] | {"classes": dict.fromkeys(twins, "x")}
    [line] = said(alone("pets", task))
    assert line.startswith("  tasks.pets.classes.") and "the same folder as" in line


def test_a_class_may_have_any_name_that_is_a_folder_of_its_own(tmp_path):
    classes = dict.fromkeys(["곰", "이 름", "18+", "NA", "null", "1", "A.b", "(G)I-DLE"], "x")
    path = tmp_path / "params.yaml"
    task = shipped()["tasks"]["harry"] | {"classes": classes}
    path.write_text(json.dumps(alone("pets", task), ensure_ascii=False), "utf-8")
    assert list(load(path).tasks["pets"].classes) == list(classes)
    write(path, tmp_path)


@pytest.mark.parametrize(
    ("source", "slices", "wrong"),
    [
        ({"source": "folder", "columns": "(?P<sex>.)"}, ["flags", "sex", "source"], []),
        ({"source": "folder", "columns": "(?P<sex>.)"}, ["flags", "camera"], [1]),
        (URLS, ["camera", "turn", "Camera"], [2]),
        (URLS | {"file": "none.csv"}, ["camera"], [0]),
        (URLS | {"file": "pipe.csv"}, ["value", "camera"], [1]),
    ],
)
def test_a_slice_that_no_table_will_have_is_refused_before_the_search(
    said, tmp_path, source, slices, wrong
):
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfurl,label,camera\r\n")
    os.mkfifo(tmp_path / "pipe.csv")
    task = shipped()["tasks"]["harry"] | {"evaluate": {"slices": slices}}
    task["collect"] = {"path": ".", "sources": [source]}
    lines = said(alone("pets", task))
    assert len(lines) == len(wrong)
    for line, index in zip(lines, wrong, strict=True):
        assert line.startswith(
            f"  tasks.pets.evaluate.slices.{index}: {slices[index]!r}: no column"
        )
        assert "there are: flags, id, " in line


def test_of_two_keys_that_do_not_agree_the_one_of_the_task_is_named(said):
    [line] = said(changed(shipped(), {"test": 0.8}, "tasks", "harry", "split"))
    assert line.startswith("  tasks.harry.split.test: 0.8: val + test is 1")
    [line] = said(changed(shipped(), "regression", "tasks", "harry", "kind"))
    assert line.startswith("  tasks.harry.kind: 'regression': kind regression needs bins")
    recipe = yaml.safe_load((REPO / "recipes/folder.yaml").read_text("utf-8"))
    lines = said(changed(recipe, "regression", "defaults", "kind"))
    assert "  defaults.kind: 'regression': kind regression needs bins" in lines[0]
