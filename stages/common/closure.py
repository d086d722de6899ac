"""Which files of this repository a module's behaviour depends on: those that it imports.

A stage's code decides its results. So the closure of a stage's module is part of the key of what is
kept between runs, and `dvc.yaml` names it in `deps` (a test compares the two).
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What these do cannot change a result: messages, progress, arguments, where parameters come from.
# The values of parameters are keys of their own.
WATCHERS = frozenset(
    {
        "stages",
        "stages.common",
        "stages.common.backend",
        "stages.common.clock",
        "stages.common.closure",
        "stages.common.door",
        "stages.common.errors",
        "stages.common.files",
        "stages.common.parallel",
        "stages.params",
        "stages.params.merge",
        "stages.records",
        "stages.records.folders",
        "stages.records.params",
        "stages.records.section",
        "stages.records.sources",
    }
)


def closure(*modules: str) -> list[Path]:
    """Files of `modules` and of all that they import from this repository, but for `WATCHERS`.

    Imports inside functions count; those under `if TYPE_CHECKING` do not. Sorted; for a package,
    its __init__.py. Raises ModuleNotFoundError for a module that this repository does not have.
    """
    found: set[str] = set()
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module not in found and module not in WATCHERS:
            found.add(module)
            todo += _imported(module)
    return sorted(map(_file, found))


@cache
def _imported(module: str) -> list[str]:
    names = [module.rpartition(".")[0]] if "." in module else []  # a package's __init__ runs first
    for node in _executed(ast.parse(_file(module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if _exists(name)]


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            yield from _executed(child)


def _exists(module: str) -> bool:
    return any(path.is_file() for path in _places(module))


def _file(module: str) -> Path:
    for path in _places(module):
        if path.is_file():
            return path
    raise ModuleNotFoundError(f"there is no module {module} in {ROOT}")


def _places(module: str) -> tuple[Path, Path]:
    path = ROOT.joinpath(*module.split("."))
    return path.with_suffix(".py"), path / "__init__.py"
