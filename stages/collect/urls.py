"""Photos at the addresses of a list: a CSV with url, label[, person, licence, author, sha256].

Further columns, such as `value`, become columns of the manifest.
"""

import csv
import hashlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from stages.collect.candidate import Candidate, Context, Picture, plain, read
from stages.collect.columns import refuse_reserved
from stages.collect.downloads import download
from stages.collect.forgotten import REASON
from stages.collect.web import Web
from stages.common.errors import UserError
from stages.common.images import BadImage
from stages.records.sources import Urls

NEEDED = {"url", "label"}
COLUMNS = NEEDED | {"person", "licence", "author", "sha256"}


def candidates(source: Urls, context: Context) -> list[Candidate]:
    """The photos of the list; those that cannot be had are there with their `reason`.

    Raises `UserError` for a list that cannot be read, or names a label that is no class.
    """
    path = below(source.file, context, "file")
    rows = list(_rows(path, context))
    wanted = [row["url"] for row in rows if not row["reason"]]
    web = Web(source.contact, allow_private=source.allow_private)
    got = download(
        wanted, context.downloads, web, context.forgotten.sha256s, desc=f"download {path.name}"
    )
    return [_candidate(row, row["reason"] or got[row["url"]]) for row in rows]


def below(file: Path, context: Context, name: str) -> Path:
    """`file` in collect.path, which DVC watches. Raises `UserError` where it is not there."""
    path = context.root / file
    if not path.is_file() or not path.resolve().is_relative_to(context.root.resolve()):
        raise UserError(
            f"{context.key}.{name}: no file {str(file)!r} in collect.path, {str(context.root)!r}"
        )
    return path


def _candidate(row: dict[str, str], got: Path | str) -> Candidate:
    return Candidate(
        name=row["url"],
        label=row["label"],
        person=row["person"],
        part="pool",
        source="urls",
        load=partial(_load, got, row["sha256"]) if isinstance(got, Path) else None,
        licence=row["licence"],
        author=row["author"],
        page=row["url"],
        reason=got if isinstance(got, str) else "",
        columns={name: text for name, text in row.items() if name not in {*COLUMNS, "reason"}},
    )


def _load(path: Path, sha256: str) -> Picture:
    picture = read(path)
    if sha256 and hashlib.sha256(picture.data).hexdigest() != sha256:
        raise BadImage("its sha256 is not the one of the list")
    return picture


def _rows(path: Path, context: Context) -> Iterator[dict[str, str]]:
    """The list's rows with all COLUMNS, "" where it has none, and the `reason` to refuse one."""
    seen = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file, strict=True)
            names = lines.fieldnames or []
            if not set(names) >= NEEDED or "" in names or len(set(names)) < len(names):
                raise UserError(
                    f"{path}: the columns are {', '.join(names) or 'none'}; needed: url, label; "
                    "known: person, licence, author, sha256; each needs a name of its own"
                )
            refuse_reserved(set(names) - COLUMNS, str(path))
            for line in lines:
                where = f"{path}, line {lines.line_num}"
                if None in line or None in line.values():
                    raise UserError(f"{where}: has not as many values as there are columns")
                row = dict.fromkeys(COLUMNS, "") | {k: plain(v) for k, v in line.items()}
                row["sha256"] = row["sha256"].lower()
                if row["label"] not in context.classes:
                    raise UserError(
                        f"{where}: label {row['label']!r} is no class; the classes are "
                        f"{', '.join(map(repr, context.classes))}"
                    )
                if not re.fullmatch("([0-9a-f]{64})?", row["sha256"]):
                    raise UserError(
                        f"{where}: sha256 {row['sha256']!r} has not 64 hexadecimal digits"
                    )
                reason = "listed twice" if (row["url"], row["label"]) in seen else ""
                if context.forgotten.person(row["person"]):
                    reason = REASON
                seen.add((row["url"], row["label"]))
                yield row | {"reason": reason}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"cannot read {path}: {error}") from error
