"""docs/parameters.md and docs/params.schema.json."""

import copy
from typing import get_args

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from stages.params.describe import JSON_SCHEMA, PAGE, json_schema, json_text, page
from stages.params.merge import merge
from stages.records import params, sources
from tests.params_yaml import REPO, complete, shipped

MODELS = [
    each
    for module in (params, sources)
    for each in vars(module).values()
    if isinstance(each, type) and issubclass(each, BaseModel) and each.model_fields
]


def test_documents_are_up_to_date():
    stale = "run `make docs`"
    assert (REPO / PAGE).read_text("utf-8") == page(shipped()), stale
    assert (REPO / JSON_SCHEMA).read_text("utf-8") == json_text(), stale


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_has_a_meaning(model):
    assert model.__doc__
    for name, field in model.model_fields.items():
        section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        assert field.description or section or name in ("source", "tasks"), name


def test_the_page_has_every_key_and_source():
    text = page(shipped())
    for section, content in shipped()["defaults"].items():
        if isinstance(content, dict):
            rows = text.split(f"\n## {section}\n")[1].split("\n## ")[0]
            assert all(f"| `{key}` |" in rows for key in content)
    [union, _] = get_args(sources.Source)
    assert get_args(union) == sources.SOURCES
    assert "| `quality.dark` | number, 0 to 100 | `25` | " in text
    assert "| `networks[].epochs` | integer, ≥ 1 | needed | " in text


@pytest.fixture(scope="module")
def errors():
    Draft202012Validator.check_schema(json_schema())
    validator = Draft202012Validator(json_schema())
    return lambda content: [error.json_path for error in validator.iter_errors(content)]


def test_params_are_valid_in_an_editor(errors):
    assert errors(shipped()) == []
    assert errors(complete()) == []
    first_line = (REPO / "params.yaml").read_text("utf-8").splitlines()[0]
    assert first_line == f"# yaml-language-server: $schema={JSON_SCHEMA.as_posix()}"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"tasks": {"age": {"search": {"max_trial": 1}}}}, "$.tasks.age.search"),
        (
            {"tasks": {"age": {"extract": {"quality": {"dark": 101}}}}},
            "$.tasks.age.extract.quality.dark",
        ),
        ({"tasks": {"fifth": {"title": "Fifth"}}}, "$.tasks.fifth"),
        ({"tasks": {"age": {"weights": {}}}}, "$.tasks.age"),
        ({"defaults": {"kind": "regresion"}}, "$.defaults.kind"),
        ({"default": {}}, "$"),
    ],
)
def test_mistakes_are_marked_in_an_editor(errors, change, path):
    assert path in errors(merge(shipped(), change))


def test_defaults_must_be_complete_in_an_editor(errors):
    content = copy.deepcopy(shipped())
    del content["defaults"]["search"]["patience"]
    assert errors(content) == ["$.defaults.search"]
