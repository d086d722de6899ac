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

from stages.collect.candidate import Candidate, Picture
from stages.common.errors import UserError
from stages.common.images import BadImage
from stages.common.params import Collect

MAX_BYTES = 100_000_000  # of a file: no photo is larger, and each is read whole
LITTER = ("thumbs.db", "desktop.ini")  # what Windows leaves behind; the rest hides behind a dot


def candidates(params: Collect, classes: list[str], key: str) -> tuple[list[Candidate], list[dict]]:
    """The photos of `params.path`, and a row (name, label, part, reason) for every other file.

    Raises `UserError` for a missing path, a folder that is no class, a class with no photos, and
    a `person` expression that matches no file's name.
    """
    root = params.path
    if not root.is_dir():
        raise UserError(
            f"{key}.path: {str(root)!r} is not a folder; name the folder of your photos"
        )
    known = {_nfc(name): name for name in classes}
    _refuse_unknown_folders(root, known, key)
    found, refused = [], []
    for path in _files(root):
        name = _nfc(path.relative_to(root).as_posix())
        *folders, file = name.split("/")
        part = "wild" if folders[:1] == ["wild"] else "pool"
        if part == "wild":
            del folders[0]
        label = known.get(folders[0], "") if folders else ""
        if reason := _refusal(path, root) or ("" if label else "not in a class's folder"):
            refused.append({"name": name, "label": label, "part": part, "reason": reason})
        else:
            person = _person(params.person, file)
            found.append(Candidate(name, label, person, part, "folder", partial(read, path)))
    full = {candidate.label for candidate in found if candidate.part == "pool"}
    if empty := [name for name in classes if name not in full]:
        raise UserError(
            f"{key}.path: no photos for {_list(empty)}: each class needs a folder of its name in "
            f"{str(root)!r} with photos in it (links to folders are not followed)"
        )
    if params.person and not any(candidate.person for candidate in found):
        raise UserError(
            f"{key}.person: {params.person!r} matches no photo's name, such as "
            f"{Path(found[0].name).name!r}; correct it, or set it to null where persons are unknown"
        )
    return found, refused


def read(path: Path) -> Picture:
    """The file's bytes. Raises `BadImage` where they cannot be had, or are too many."""
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise BadImage(f"{size / 1e6:.0f} MB; at most {MAX_BYTES / 1e6:.0f} MB are read")
        return Picture(path.read_bytes())
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror}") from error


def _nfc(name: str) -> str:
    """Bytes that are not UTF-8 (an old zip file's names) become replacement characters."""
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "replace"))


def _list(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _person(expression: str | None, file: str) -> str:
    match = re.search(expression, file) if expression else None
    return (match[1] or "") if match else ""


def _refuse_unknown_folders(root: Path, known: dict[str, str], key: str) -> None:
    allowed = {*known, "wild"}
    for base, names in ((root, allowed), (root / "wild", set(known))):
        folders = (
            [_nfc(path.name) for path in base.iterdir() if path.is_dir()] if base.is_dir() else []
        )
        if unknown := sorted(n for n in folders if n not in names and not n.startswith(".")):
            raise UserError(
                f"{key}.path: {str(base)!r} holds {_list(unknown)}, which is no class; "
                f"the classes are {_list(list(known.values()))}. Rename or move the folder, "
                f"or add the class to {key.removesuffix('collect')}classes"
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
