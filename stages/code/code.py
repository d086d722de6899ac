"""What a stage's code is: the files that decide its results, each with its sha256."""

from pathlib import Path

from stages.common.closure import ROOT, closure
from stages.common.files import sha256

ITSELF = frozenset({"code", "params"})  # these come first; dvc.yaml names their code


def rooms() -> list[str]:
    """The packages of `stages` that a stage of dvc.yaml runs, sorted."""
    found = {door.parent.name for door in ROOT.glob("stages/*/__main__.py")}
    return sorted(found - ITSELF)


def files(room: str) -> list[Path]:
    """All files in the room, and those that its modules import. Sorted.

    Left out is what cannot change a result, so that mending it re-runs nothing:
    `stages.common.closure.WATCHERS`.
    """
    folder = ROOT / "stages" / room
    own = {path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    modules = (path for path in own if path.suffix == ".py")
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in modules)
    return sorted(own | {path for path in closure(*names) if path.stat().st_size})


def listing(room: str) -> str:
    """A line for each file, as `sha256sum` writes them: `dvc diff` and `diff` show what changed."""
    lines = (f"{sha256(path)}  {path.relative_to(ROOT).as_posix()}" for path in files(room))
    return "".join(f"{line}\n" for line in lines)
