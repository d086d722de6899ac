"""The source `urls`: photos of a CSV list with url, label[, person, licence, author, sha256].

Further columns, such as `value`, become columns of the manifest.
"""

import csv
import hashlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from stages.collect.candidate import Candidate, Context, Picture, plain, read
from stages.collect.columns import refuse_reserved
from stages.collect.downloads import download
from stages.collect.forgotten import REASON
from stages.collect.web import Web
from stages.common.errors import UserError
from stages.common.images import BadImage
from stages.records.sources import Urls

NEEDED = {"url", "label"}
KNOWN = NEEDED | {"person", "licence", "author", "sha256"}


class _Row(NamedTuple):
    """A line of the list; "" where it says nothing."""

    url: str
    label: str
    person: str
    licence: str
    author: str
    sha256: str
    columns: dict[str, str]  # all others
    reason: str  # why the photo is not downloaded


def candidates(source: Urls, context: Context) -> list[Candidate]:
    """The photos of the list. Those that cannot be downloaded have a `reason`.

    Raises `UserError` for a list that cannot be read, or that has a label that is no class.
    """
    path = below(source.file, context)
    rows = list(_rows(path, context))
    wanted = [row.url for row in rows if not row.reason]
    web = Web(source.contact, source.allow_private, source.max_crawl_delay)
    forgotten = context.forgotten.sha256s
    got = download(wanted, context.downloads, web, forgotten, desc=f"download {path.name}")
    return [_candidate(row, row.reason or got[row.url]) for row in rows]


def below(file: Path, context: Context) -> Path:
    """The path of a source's `file` in collect.path. Raises `UserError` if it is not there.

    Files elsewhere are refused because DVC would not notice their changes.
    """
    path = context.root / file
    if not path.is_file() or not path.resolve().is_relative_to(context.root.resolve()):
        raise UserError(
            f"{context.key}.file: no file {str(file)!r} in collect.path, {str(context.root)!r}"
        )
    return path


def _candidate(row: _Row, got: Path | str) -> Candidate:
    return Candidate(
        name=row.url,
        label=row.label,
        person=row.person,
        part="pool",
        source="urls",
        load=partial(_load, got, row.sha256) if isinstance(got, Path) else None,
        licence=row.licence,
        author=row.author,
        page=row.url,
        reason=got if isinstance(got, str) else "",
        columns=row.columns,
    )


def _load(path: Path, sha256: str) -> Picture:
    picture = read(path)
    if sha256 and hashlib.sha256(picture.data).hexdigest() != sha256:
        raise BadImage("its sha256 is not the one of the list")
    return picture


def _rows(path: Path, context: Context) -> Iterator[_Row]:
    seen: set[tuple[str, str]] = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            _refuse_header(list(lines.fieldnames or []), path)
            for line in lines:
                row = _row(line, f"{path}, line {lines.line_num}", context)
                if context.forgotten.person(row.person):
                    row = row._replace(reason=REASON)
                elif (row.url, row.label) in seen:
                    row = row._replace(reason="listed twice")
                seen.add((row.url, row.label))
                yield row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read {path}: {error}") from error


def _refuse_header(names: list[str], path: Path) -> None:
    if not set(names) >= NEEDED or "" in names or len(set(names)) < len(names):
        raise UserError(
            f"{path}: the columns are {', '.join(names) or 'none'}; needed: url, label; known: "
            "person, licence, author, sha256; each needs a name of its own"
        )
    refuse_reserved(set(names) - KNOWN, str(path))


def _row(line: dict[str, str], where: str, context: Context) -> _Row:
    if None in line or None in line.values():  # more, or fewer, values than columns
        raise UserError(f"{where}: has not as many values as there are columns")
    cells = {name: plain(text) for name, text in line.items()}
    known = {name: cells.pop(name, "") for name in KNOWN}
    row = _Row(**known, columns=cells, reason="")._replace(sha256=known["sha256"].lower())
    if row.label not in context.classes:
        raise UserError(
            f"{where}: label {row.label!r} is no class; the classes are "
            f"{', '.join(map(repr, context.classes))}"
        )
    if not re.fullmatch("([0-9a-f]{64})?", row.sha256):
        raise UserError(f"{where}: sha256 {row.sha256!r} has not 64 hexadecimal digits")
    return row
