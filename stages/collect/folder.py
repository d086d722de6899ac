"""The source `folder`: one's own photos, in a folder with one sub-folder for each class.

    photos/cool/anna__1.jpg          photos/warm/2024/bella__1.webp
    photos/wild/cool/carla__1.png    other cameras, other days: the final exam, never trained on

Names are compared and kept in Unicode's NFC form: macOS writes Korean in another one (NFD).
"""

import os
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import regex

from stages.collect.candidate import Candidate, Context, plain, read
from stages.collect.columns import refuse_reserved
from stages.common.errors import UserError
from stages.records.sources import Folder

SECONDS = 1  # for an expression and one name: `(a+)+b` doubles its steps with every letter
LITTER = ("thumbs.db", "desktop.ini")  # hidden files of Windows; others begin with a dot


def candidates(source: Folder, context: Context) -> list[Candidate]:
    """All files of the folder; those that are no photos have a `reason`.

    Raises `UserError` for a missing folder, a folder that is no class, and an expression (`person`
    or `columns`) that matches no file's name.
    """
    root = context.root / source.folder
    _refuse_root(root, source, context)
    refuse_reserved(_groups(source.columns), f"{context.key}.columns")
    known = {_nfc(name): name for name in context.classes}
    _refuse_unknown_folders(root, known, source, context.key)
    paths = [path for path in _files(root) if path not in context.lists]
    found = [_candidate(path, root, known, source, context.key) for path in paths]
    _refuse_expressions(found, source, context.key)
    return found


def _candidate(
    path: Path, root: Path, known: dict[str, str], source: Folder, key: str
) -> Candidate:
    """`known`: folder name -> class. `key`: the source in params.yaml."""
    name = _nfc(path.relative_to(root).as_posix())
    *folders, file = name.split("/")
    wild = folders[:1] == ["wild"]
    label = known.get(folders[wild], "") if len(folders) > wild else ""
    return Candidate(
        name=name,
        label=label,
        person=_person(source.person, file, f"{key}.person") if label else "",
        part="wild" if wild else "pool",
        source="folder",
        load=partial(read, path),
        licence=source.licence,
        author=source.author,
        reason=_refusal(path, root) or ("" if label else "not in a class's folder"),
        columns=_columns(source.columns, file, f"{key}.columns"),
    )


def _refuse_root(root: Path, source: Folder, context: Context) -> None:
    if not root.is_dir():
        raise UserError(
            f"{_path_key(source, context.key)}: {str(root)!r} is not a folder; "
            "name the folder of your photos"
        )
    if not root.resolve().is_relative_to(context.root.resolve()):
        raise UserError(
            f"{context.key}.folder: {str(source.folder)!r} leaves collect.path, "
            f"{str(context.root)!r}, which is what DVC watches; move one or the other"
        )


def _refuse_unknown_folders(root: Path, known: dict[str, str], source: Folder, key: str) -> None:
    allowed = {*known, "wild"}
    for base, names in ((root, allowed), (root / "wild", set(known))):
        folders = [path for path in base.iterdir() if path.is_dir()] if base.is_dir() else []
        found = sorted(_nfc(path.name) for path in folders)
        if unknown := [name for name in found if name not in names and not name.startswith(".")]:
            raise UserError(
                f"{_path_key(source, key)}: {str(base)!r} holds {_list(unknown)}, which is no "
                f"class; the classes are {_list(list(known.values()))}. Rename or move the folder, "
                f"or add the class to {key.rpartition('collect')[0]}classes"
            )


def _refuse_expressions(found: list[Candidate], source: Folder, key: str) -> None:
    usable = [candidate for candidate in found if not candidate.reason]
    if source.person and usable and not any(candidate.person for candidate in usable):
        raise UserError(
            f"{key}.person: {source.person!r} matches no photo's name, such as "
            f"{Path(usable[0].name).name!r}; correct it, or set it to null if persons are unknown"
        )
    if source.columns and usable and not any(any(each.columns.values()) for each in usable):
        raise UserError(
            f"{key}.columns: {source.columns!r} finds nothing in any photo's name, such as "
            f"{Path(usable[0].name).name!r}; correct it, or set it to null"
        )


def _path_key(source: Folder, key: str) -> str:
    """The parameter that names the folder: collect.path, or the source's own `folder`."""
    own = source.folder != Path()
    return f"{key}.folder" if own else f"{key.rpartition('.sources')[0]}.path"


def _nfc(name: str) -> str:
    """`name` in NFC; bytes that are not UTF-8 (of old zip files) become replacement characters."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def _list(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _person(expression: str | None, file: str, key: str) -> str:
    """What the expression's first group finds in the name; "" if it does not match."""
    match = _search(expression, file, key)
    return (match[1] or "") if match else ""


def _groups(expression: str | None) -> list[str]:
    return list(regex.compile(expression).groupindex) if expression else []


def _columns(expression: str | None, file: str, key: str) -> dict[str, str]:
    """What the expression's named groups find in the name; "" if they find nothing."""
    match = _search(expression, file, key)
    return {name: plain((match and match[name]) or "") for name in _groups(expression)}


def _search(expression: str | None, file: str, key: str) -> regex.Match[str] | None:
    """Raises `UserError` if that takes over `SECONDS`."""
    try:
        return regex.search(expression, file, timeout=SECONDS) if expression else None
    except TimeoutError:
        raise UserError(
            f"{key}: {expression!r} takes over {SECONDS} s for the name {file!r}; write it without "
            "a repetition inside of a repetition, such as (a+)+"
        ) from None


def _files(root: Path) -> Iterator[Path]:
    """Everything below `root` but folders; links to folders are not followed."""

    def stop(error: OSError) -> None:
        raise UserError(f"cannot list {error.filename!r}: {error.strerror}")

    for folder, folders, files in os.walk(root, onerror=stop):
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        yield from (Path(folder, name) for name in files + links)


def _refusal(path: Path, root: Path) -> str:
    """Why `path` is not even opened; "" if it is."""
    hidden = any(name.startswith(".") for name in path.relative_to(root).parts)
    if hidden or path.name.lower() in LITTER:
        return "hidden file"
    if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(root.resolve()):
        return "symbolic link that leaves the folder"
    if not path.is_file():  # opening a pipe would block for ever
        return "not a regular file"
    return ""
