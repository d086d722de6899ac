"""params.yaml: `defaults` for all tasks, and what each task does differently.

Mappings are merged, deeply; a list or a single value of the task replaces the default. All that is
wrong is reported at once, each error with the key where the user wrote it.
"""

import csv
import re
import reprlib
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import regex
import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from stages.common.errors import UserError
from stages.records.faces import FACES
from stages.records.manifest import MANIFEST
from stages.records.params import App, Defaults, Params, Task, Title, Weights
from stages.records.section import Loc, Section, Wrong
from stages.records.sources import Folder, Urls

Values = dict[str, Any]  # a part of params.yaml as YAML has it, not checked
# `forget` and `rollback` are commands of ours; reports/findings holds no task.
TAKEN = ("findings", "forget", "rollback")
HEADER = (
    "# Merged from params.yaml by `python -m stages.params`. Edit params.yaml, not this file.\n"
)


class File(Section):
    """params.yaml before the merge."""

    app: App = App()
    weights: Weights
    defaults: Defaults
    tasks: Annotated[dict[str, Values], Field(min_length=1)]

    @model_validator(mode="after")
    def _task_is_a_stage_name(self) -> "File":
        for name in self.tasks:
            if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name):
                said = "a task's name is of at most 40 lower-case letters, digits, - and _"
                raise Wrong(said, {("tasks", name): name})
            if name in TAKEN:
                raise Wrong("this name is taken; choose another one", {("tasks", name): name})
            if "weights" in self.tasks[name]:
                said = "weights are the same for all tasks; remove the key here"
                raise Wrong(said, {("tasks", name, "weights"): self.tasks[name]["weights"]})
        return self


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
    except Exception as error:  # PyYAML lets through whatever an odd value makes Python raise
        kind = "nested too deeply" if isinstance(error, RecursionError) else error
        raise UserError(f"cannot read {path}: {kind}. It must be YAML, in UTF-8") from error


def _tasks(path: Path) -> dict[str, Values]:
    """The merged values of each task, checked."""
    content = _content(path)
    wrong = [_line(problem.found, problem.said) for problem in _problems(File, content)]
    weights = {"weights": content["weights"]} if _mapping(content, "weights") else {}
    defaults, merged = _mapping(content, "defaults"), {}
    for name, own in _mapping(content, "tasks").items():
        if isinstance(own, dict):
            try:
                merged[name] = weights | merge(defaults, own)
            except RecursionError as error:
                raise UserError(
                    f"{path}: an alias in tasks.{name} holds itself; remove it"
                ) from error
            task = merged[name]
            for found, said in _problems(Task, task) or _wrong_slices(task, path.parent):
                places = {_place(key, name, own, defaults): value for key, value in found.items()}
                wrong.append(_line(places, said))
    if wrong:  # a wrong default is wrong in every task; it is named once
        lines = "\n".join(dict.fromkeys(wrong))
        raise UserError(f"{path} is not valid (see docs/parameters.md):\n{lines}")
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


class _Problem(NamedTuple):
    found: dict[Loc, Any]  # the key that is wrong, or some that do not agree, with their values
    said: str  # what is wrong, and what to do


def _problems(model: type[BaseModel], content: object) -> list[_Problem]:
    try:
        model.model_validate(content)
    except ValidationError as error:
        return [_problem(each) for each in error.errors()]
    return []


def _problem(error: ErrorDetails) -> _Problem:
    own, value = error.get("ctx", {}).get("error"), error["input"]
    key, said = _own_keys(error["loc"]), error["msg"].removeprefix("Value error, ")
    if isinstance(own, Wrong):
        return _Problem({key + below: value for below, value in own.found.items()}, str(own))
    match error["type"]:
        case "extra_forbidden":
            value, said = {}, "unknown key; remove it or correct its spelling"
        case "missing":
            value, said = {}, "missing; add it"
        case "union_tag_not_found":
            key, value, said = (*key, "source"), {}, "missing; add it"
        case "union_tag_invalid":
            tags = error.get("ctx", {})["expected_tags"]
            key, value, said = (*key, "source"), value["source"], f"must be one of {tags}"
        case "model_type" | "model_attributes_type" | "dict_type":
            said = "must be a mapping of keys to values"
        case "tuple_type" | "list_type":
            said = "must be a list"
        case "int_type" | "float_type" if isinstance(value, str):
            said += "; write it without quotes, and an exponent as in 1.0e+3"
    return _Problem({key: value}, said)


def _own_keys(loc: Loc) -> Loc:
    """Without what pydantic adds: a source's type, and which of a value's types was tried."""
    parts = list(loc)
    if "sources" in parts:
        del parts[parts.index("sources") + 2 : parts.index("sources") + 3]
    if "[key]" in parts:
        del parts[parts.index("[key]") :]
    tried = r"(literal|list|tuple|function-\w+)\[.*\]"
    return tuple(part for part in parts if not re.fullmatch(tried, str(part), re.DOTALL))


def _wrong_slices(values: Values, root: Path) -> list[_Problem]:
    """What `evaluate` would notice only after the search."""
    task = Task.model_validate(values)
    there = dict.fromkeys(["flags", *FACES.columns, *MANIFEST.columns, *_columns(task, root)])
    said = f"no column of faces.csv or manifest.csv; there are: {', '.join(there)}"
    return [
        _Problem({("evaluate", "slices", index): name}, said)
        for index, name in enumerate(task.evaluate.slices)
        if name not in there
    ]


def _columns(task: Task, root: Path) -> list[str]:
    """What the task's sources add to manifest.csv."""
    found = []
    for source in task.collect.sources:
        if isinstance(source, Folder) and source.columns:
            found += regex.compile(source.columns).groupindex
        if isinstance(source, Urls):
            found += _header(root / task.collect.path / source.file)
    return found


def _header(path: Path) -> list[str]:
    """The columns of a list. `collect` names a list that cannot be read."""
    try:
        if path.is_file():  # opening a pipe would block for ever
            with path.open(encoding="utf-8-sig", newline="") as file:
                return next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        pass
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


def _line(found: dict[Loc, Any], said: str) -> str:
    """Where a task's key and a default do not agree, the task's is named."""
    key = next((key for key in found if key[:1] == ("tasks",)), next(iter(found)))
    parts = [each if re.fullmatch(r"[\w-]+", each) else _short(each) for each in map(str, key)]
    name = ".".join(parts) or "(the whole file)"
    return ": ".join(filter(None, (f"  {name}", _short(found[key]), said)))


def _short(value: object) -> str:
    """`value` on one line of bounded length, however large or deep; "" for a whole section."""
    if isinstance(value, dict):
        return ""
    try:
        return _REPR.repr(value)
    except ValueError:  # Python does not write a number of thousands of digits
        return "a very long number"


_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 80
