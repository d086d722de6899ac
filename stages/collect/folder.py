"""One's own photos: a folder with one sub-folder a class, and perhaps `wild/` with the same.

    photos/cool/anna__1.jpg          photos/warm/2024/bella__1.webp
    photos/wild/cool/carla__1.png    other cameras, other days: the final exam, never trained on

Names are compared and kept in Unicode's NFC form: macOS writes Korean in another (NFD).
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from stages.collect.candidate import Candidate, Context, plain, read
from stages.collect.columns import refuse_reserved
from stages.common.errors import UserError
from stages.records.sources import Folder

LITTER = ("thumbs.db", "desktop.ini")  # what Windows leaves behind; the rest hides behind a dot


def candidates(source: Folder, context: Context) -> list[Candidate]:
    """The photos of the folder; every other file is there with its `reason`.

    Raises `UserError` for a missing folder, a folder that is no class, and a `person` or `columns`
    expression that matches no file's name.
    """
    root, key = context.root / source.folder, context.key
    if not root.is_dir():
        raise UserError(
            f"{_path_key(source, key)}: {str(root)!r} is not a folder; "
            "name the folder of your photos"
        )
    if not root.resolve().is_relative_to(context.root.resolve()):
        raise UserError(
            f"{key}.folder: {str(source.folder)!r} leaves collect.path, {str(context.root)!r}, "
            "which is what DVC watches; move one or the other"
        )
    refuse_reserved(_groups(source.columns), f"{key}.columns")
    known = {_nfc(name): name for name in context.classes}
    _refuse_unknown_folders(root, known, source, key)
    found = []
    for path in _files(root):
        if path in context.lists:  # another source's list of photos
            continue
        name = _nfc(path.relative_to(root).as_posix())
        *folders, file = name.split("/")
        part = "wild" if folders[:1] == ["wild"] else "pool"
        if part == "wild":
            del folders[0]
        label = known.get(folders[0], "") if folders else ""
        found.append(
            Candidate(
                name=name,
                label=label,
                person=_person(source.person, file) if label else "",
                part=part,
                source="folder",
                load=partial(read, path),
                licence=source.licence,
                author=source.author,
                reason=_refusal(path, root) or ("" if label else "not in a class's folder"),
                columns=_columns(source.columns, file),
            )
        )
    usable = [candidate for candidate in found if not candidate.reason]
    if source.person and usable and not any(candidate.person for candidate in usable):
        raise UserError(
            f"{key}.person: {source.person!r} matches no photo's name, such as "
            f"{Path(usable[0].name).name!r}; correct it, or set it to null where persons are "
            "unknown"
        )
    if source.columns and usable and not any(any(each.columns.values()) for each in usable):
        raise UserError(
            f"{key}.columns: {source.columns!r} finds nothing in any photo's name, such as "
            f"{Path(usable[0].name).name!r}; correct it, or set it to null"
        )
    return found


def _path_key(source: Folder, key: str) -> str:
    """The parameter that names the folder: collect.path, or the source's own."""
    own = source.folder != Path()
    return f"{key}.folder" if own else f"{key.rpartition('.sources')[0]}.path"


def _nfc(name: str) -> str:
    """Bytes that are not UTF-8 (an old zip file's names) become replacement characters."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def _list(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _person(expression: str | None, file: str) -> str:
    match = re.search(expression, file) if expression else None
    return (match[1] or "") if match else ""


def _groups(expression: str | None) -> list[str]:
    return list(re.compile(expression).groupindex) if expression else []


def _columns(expression: str | None, file: str) -> dict[str, str]:
    """What the expression's named groups find in the name; "" where they do not."""
    match = re.search(expression, file) if expression else None
    return {name: plain((match and match[name]) or "") for name in _groups(expression)}


def _refuse_unknown_folders(root: Path, known: dict[str, str], source: Folder, key: str) -> None:
    allowed = {*known, "wild"}
    for base, names in ((root, allowed), (root / "wild", set(known))):
        folders = (
            [_nfc(path.name) for path in base.iterdir() if path.is_dir()] if base.is_dir() else []
        )
        if unknown := sorted(n for n in folders if n not in names and not n.startswith(".")):
            raise UserError(
                f"{_path_key(source, key)}: {str(base)!r} holds {_list(unknown)}, which is no "
                f"class; the classes are {_list(list(known.values()))}. Rename or move the folder, "
                f"or add the class to {key.rpartition('collect')[0]}classes"
            )


def _files(root: Path) -> Iterator[Path]:
    """Everything below `root` but true folders; links to folders are not entered."""

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
    if not path.is_file():  # a pipe would be waited for, for ever
        return "not a regular file"
    return ""
