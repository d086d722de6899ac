"""params.yaml: `defaults` for all tasks, and what each task does differently.

Mappings are merged, deeply; a list or a single value of the task replaces the default. All that is
wrong is reported at once, each error with the key where the user wrote it.
"""

import re
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from stages.common.errors import UserError
from stages.records.params import App, Defaults, Params, Task, Title, Weights
from stages.records.section import Section

Values = dict[str, Any]  # a part of params.yaml as YAML has it, not checked
Loc = tuple[int | str, ...]  # a key in a section in a section ...
HEADER = (
    "# Merged from params.yaml by `python -m stages.params`. Edit params.yaml, not this file.\n"
)


class File(Section):
    """params.yaml before the merge."""

    app: App = App()
    weights: Weights
    defaults: Defaults
    tasks: Annotated[dict[str, Values], Field(min_length=1)]

    @field_validator("tasks")
    @classmethod
    def _task_is_a_stage_name(cls, value: dict[str, Values]) -> dict[str, Values]:
        for name in value:
            if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
                raise ValueError(f"task {name!r}: use lower-case letters, digits, - and _")
            if "weights" in value[name]:
                raise ValueError(f"task {name!r} has weights; they are the same for all tasks")
        return value


def load(path: Path = Path("params.yaml")) -> Params:
    """All tasks of `path`. Raises `UserError` naming every wrong key."""
    return Params.model_validate({"tasks": _tasks(path)})


def write(path: Path, folder: Path) -> None:
    """<task>.yaml in `folder` for every task of `path`. Raises `UserError` as `load` does."""
    for name, values in _tasks(path).items():
        # One language, so that a translation re-runs nothing.
        plain = Task.model_validate(values)
        values |= {"title": plain.title, "classes": plain.classes}
        text = yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
        (folder / f"{name}.yaml").write_text(HEADER + text, encoding="utf-8")


class Titles(NamedTuple):
    """A task's names for people, as params.yaml has them."""

    task: Title
    classes: dict[str, Title]


def titles(path: Path = Path("params.yaml")) -> dict[str, Titles]:
    """Of each task of `path`, in its order. Raises `UserError` as `load` does."""
    return {
        name: Titles(values["title"], values["classes"]) for name, values in _tasks(path).items()
    }


def load_app(path: Path = Path("params.yaml")) -> App:
    """The section `app` of `path`. Raises `UserError` as `load` does."""
    _tasks(path)
    return File.model_validate(_content(path)).app


def _content(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"cannot read {path}: {error}") from error


def _tasks(path: Path) -> dict[str, Values]:
    """The merged values of each task, checked."""
    content = _content(path)
    wrong = [_explain(error, error["loc"]) for error in _errors(File, content)]
    weights = {"weights": content["weights"]} if _mapping(content, "weights") else {}
    defaults, merged = _mapping(content, "defaults"), {}
    for name, own in _mapping(content, "tasks").items():
        if isinstance(own, dict):
            merged[name] = weights | merge(defaults, own)
            for error in _errors(Task, merged[name]):
                wrong.append(_explain(error, _place(error["loc"], name, own, defaults)))
    if wrong:  # a wrong default is wrong in every task; it is named once
        raise UserError(f"{path} is not valid:\n" + "\n".join(dict.fromkeys(wrong)))
    return merged


def merge(defaults: Values, own: Values) -> Values:
    """`own` over `defaults`; where both have a mapping, the same is done with these."""
    merged = defaults | own
    for key in defaults.keys() & own.keys():
        if isinstance(defaults[key], dict) and isinstance(own[key], dict):
            merged[key] = merge(defaults[key], own[key])
    return merged


def _mapping(content: object, key: str) -> Values:
    found = content.get(key) if isinstance(content, dict) else None
    return found if isinstance(found, dict) else {}


def _errors(model: type[BaseModel], content: object) -> list[ErrorDetails]:
    try:
        model.model_validate(content)
    except ValidationError as error:
        return error.errors()
    return []


def _place(loc: Loc, task: str, own: Values, defaults: Values) -> Loc:
    """Where params.yaml has what a merged task has at `loc`."""
    if loc[:1] == ("weights",):
        return loc
    tasks_alone = loc[:1] and loc[0] in Task.model_fields.keys() - Defaults.model_fields.keys()
    if _inherited(loc, own, defaults) and not tasks_alone:
        return "defaults", *loc
    return "tasks", task, *loc


def _inherited(loc: Loc, own: object, defaults: object) -> bool:
    if not loc or not isinstance(own, dict) or not isinstance(defaults, dict):
        return False  # the task's value has replaced the default
    key, *rest = loc
    return key not in own or _inherited(tuple(rest), own[key], defaults.get(key))


def _explain(error: ErrorDetails, loc: Loc) -> str:
    parts = [str(part) for part in loc]
    if "sources" in parts:  # pydantic names the source's type after its number
        del parts[parts.index("sources") + 2 : parts.index("sources") + 3]
    # Of a value that may be one of several types, pydantic names each in brackets.
    key = ".".join(part for part in parts if "[" not in part) or "(the whole file)"
    match error["type"]:
        case "extra_forbidden":
            return f"  {key}: unknown key; remove it or correct its spelling"
        case "missing":
            return f"  {key}: missing"
        case "model_type" | "model_attributes_type" | "dict_type":
            return f"  {key}: {error['input']!r}: must be a mapping of keys to values"
    value = "" if isinstance(error["input"], dict) else f"{error['input']!r}: "  # no whole section
    return f"  {key}: {value}{error['msg'].removeprefix('Value error, ')}"
