"""python -m stages.params.describe: docs/parameters.md, docs/params.schema.json (`make docs`)

People read the first, editors the second. Both are made of the schema in stages/records, where what
a key means is written once, in `Field(description=...)`.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic.json_schema import GenerateJsonSchema

from stages.params.merge import File
from stages.records.params import Defaults, Task
from stages.records.sources import SOURCES

Schema = dict[str, Any]  # of one value, as in https://json-schema.org
PAGE, JSON_SCHEMA = Path("docs/parameters.md"), Path("docs/params.schema.json")
NEEDED = "needed"  # in place of a default
INTRODUCTION = Path(__file__).with_name("introduction.md")
NOTE = "<!-- Made by `make docs` from stages/params/introduction.md and stages/records. -->"


class _Untitled(GenerateJsonSchema):
    """Without a title for each key, which would say `Max Trials` of `max_trials`."""

    def field_title_should_be_set(self, schema: object) -> bool:
        return False


class Row(NamedTuple):
    key: str
    values: str
    default: str
    meaning: str


def main() -> None:
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    PAGE.write_text(page(content), encoding="utf-8")
    JSON_SCHEMA.write_text(json_text(), encoding="utf-8")


def json_text() -> str:
    return json.dumps(json_schema(), ensure_ascii=False, indent=1) + "\n"


def json_schema() -> Schema:
    """Of params.yaml before the merge: a task's sections may leave any key out."""
    schema = File.model_json_schema(schema_generator=_Untitled)
    task = Task.model_json_schema(schema_generator=_Untitled)
    schema["$defs"] |= task.pop("$defs")
    del task["properties"]["weights"]
    own = [key for key in task["properties"] if key not in Defaults.model_fields]
    for key in Defaults.model_fields:
        task["properties"][key] = _partial(task["properties"][key], schema["$defs"])
    schema["properties"]["tasks"]["additionalProperties"] = task | {"required": own}
    return schema


def _partial(schema: Schema, defs: Schema) -> Schema:
    schema = _resolved(schema, defs)
    if "properties" not in schema:
        return schema
    keys = {key: _partial(value, defs) for key, value in schema["properties"].items()}
    return {k: v for k, v in schema.items() if k != "required"} | {"properties": keys}


def page(content: dict[str, Any]) -> str:
    """docs/parameters.md; `content`: params.yaml's, whose defaults it shows."""
    schema = json_schema()
    defs = schema["$defs"]
    keys = schema["properties"]["tasks"]["additionalProperties"]["properties"]
    sections = {key: _resolved(value, defs) for key, value in keys.items()}
    single = {key: sections.pop(key) for key in ("title", "classes", "kind", "bins")}
    collect = sections.pop("collect")
    defaults = content["defaults"]
    parts = [NOTE, INTRODUCTION.read_text(encoding="utf-8").strip()]
    parts += ["## task", _table(single, defs, defaults)]
    parts += _section("## collect", collect, defs, {})
    parts += ["### Sources of photos", "An entry of `collect.sources` is one of these."]
    for source in SOURCES:
        about = source.model_json_schema(schema_generator=_Untitled)
        name = about["properties"].pop("source")["const"]
        parts += _section(f"#### source: {name}", about, about.get("$defs", {}), {})
    for key, section in sections.items():
        parts += _section(f"## {key}", section, defs, defaults[key])
    app = _resolved(schema["properties"]["app"], defs)
    parts += _section("## app", app, defs, content.get("app", {}))
    weights = _resolved(schema["properties"]["weights"], defs)
    parts += _section("## weights", weights, defs, content["weights"])
    return "\n\n".join(parts) + "\n"


def _section(heading: str, schema: Schema, defs: Schema, defaults: dict[str, Any]) -> list[str]:
    return [heading, schema["description"], _table(schema["properties"], defs, defaults)]


def _table(keys: dict[str, Schema], defs: Schema, defaults: dict[str, Any]) -> str:
    lines = ["| key | values | default | meaning |", "| --- | --- | --- | --- |"]
    for row in _rows(keys, defs, defaults):
        cells = [cell.replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _rows(
    keys: dict[str, Schema], defs: Schema, defaults: dict[str, Any], prefix: str = ""
) -> Iterator[Row]:
    for key, value in keys.items():
        schema = _resolved(value, defs)
        default = defaults.get(key, schema.get("default", ...))
        inner, name = _mapping(schema, defs, prefix + key)
        if isinstance(default, dict):
            yield Row(f"`{prefix}{key}`", "mapping", "see below", schema["description"])
        else:
            shown = NEEDED if default is ... else _yaml(default)
            yield Row(f"`{prefix}{key}`", _values(schema, defs), shown, schema["description"])
            default = {}
        yield from _rows(inner, defs, default, f"{name}.")


def _mapping(schema: Schema, defs: Schema, name: str) -> tuple[dict[str, Schema], str]:
    """The keys and the name of the mapping that a value is, may be, or is a list of."""
    options = [schema, *(_resolved(option, defs) for option in schema.get("anyOf", []))]
    for option in options:
        if "properties" in option:
            return option["properties"], name
        if "$ref" in option.get("items", {}):
            return _mapping(_resolved(option["items"], defs), defs, f"{name}[]")
    return {}, name


def _resolved(schema: Schema, defs: Schema) -> Schema:
    """Without `$ref`: what it refers to. A key's own description goes before its type's."""
    own = dict(schema)
    reference = own.pop("$ref", None)
    return defs[reference.rpartition("/")[2]] | own if reference else schema


def _yaml(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1000, sort_keys=False)
    return f"`{text.splitlines()[0]}`"  # without the `...` that ends a lone value


def _values(schema: Schema, defs: Schema) -> str:
    """What a value may be, in words."""
    schema = _resolved(schema, defs)
    if "anyOf" in schema:
        return " or ".join(_values(option, defs) for option in schema["anyOf"])
    if choices := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return ", ".join(f"`{each}`" for each in choices)
    match schema.get("type"):
        case "array" if "prefixItems" in schema:
            each = {_values(item, defs) for item in schema["prefixItems"]}
            return f"list of {len(schema['prefixItems'])}: {', '.join(each)}"
        case "array":
            return f"list of {_values(schema['items'], defs)}"
        case "boolean":
            return "`true`, `false`"
        case "null":
            return "`null`"
        case "string":
            return "path" if schema.get("format") == "path" else "text"
        case "integer" | "number" as kind:
            return ", ".join([kind, *_range(schema)])
    return "mapping"


def _range(schema: Schema) -> Iterator[str]:
    if schema.get("maximum", 0) >= 1e9:  # keeps absurd numbers out; no reader asks for it
        schema = {key: value for key, value in schema.items() if key != "maximum"}
    if "minimum" in schema and "maximum" in schema:
        yield f"{schema['minimum']:g} to {schema['maximum']:g}"
        return
    words = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    yield from (f"{sign} {schema[name]:g}" for name, sign in words.items() if name in schema)


if __name__ == "__main__":
    main()
