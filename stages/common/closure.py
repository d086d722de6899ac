"""Which files of this repository a module's behaviour depends on: those that it imports.

A stage's code decides its results. So the closure of a stage's module is part of the key of what is
kept between runs, and the stage `code` lists it for DVC.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What these do cannot change a result, so that mending them re-runs nothing.
WATCHERS = frozenset(
    {
        # Names of packages; the files are empty but for a description.
        "stages",
        "stages.common",
        "stages.records",
        # What people see: messages, progress, times of day.
        "stages.common.backend",
        "stages.common.clock",
        "stages.common.closure",
        "stages.common.door",
        "stages.common.errors",
        # Where files are, and that they appear whole; not what is in them.
        "stages.common.files",
        "stages.records.folders",
        # How work is shared out to processes: results come in order, however many there are.
        "stages.common.parallel",
        # What a parameter may be. Its value is a dependency of its own (`params` in dvc.yaml).
        "stages.params",
        "stages.params.merge",
        "stages.records.params",
        "stages.records.section",
        "stages.records.sources",
        # What MLflow is sent of results that are there already.
        "stages.tracking",
        "stages.tracking.baselines",
        "stages.tracking.cards",
        "stages.tracking.exports",
        "stages.tracking.mirror",
        "stages.tracking.models",
        "stages.tracking.register",
        "stages.tracking.searches",
        "stages.tracking.store",
    }
)


def closure(*modules: str, without: frozenset[str] = WATCHERS) -> list[Path]:
    """Files of `modules` and of all that they import from this repository, but for `without`.

    Imports inside functions count; those under `if TYPE_CHECKING` do not. Sorted; for a package,
    its __init__.py. Raises ModuleNotFoundError for a module that this repository does not have.
    """
    found: set[str] = set()
    todo = list(modules)
    while todo:
        module = todo.pop()
        if module not in found and module not in without:
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
