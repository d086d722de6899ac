"""A CSV table of one row type: UTF-8, a header, one line a row.

A cell is text, a whole number, a number, 0 or 1 for a bool, words separated by spaces for
`tuple[str, ...]`, and JSON for anything else. An empty cell is None, or "" where the field is text.

Text may come from outside, such as the name of a file. A spreadsheet would compute text that begins
like a formula. Such text gets an apostrophe in front of it; reading takes the apostrophe away.
"""

import csv
import re
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, Union, get_args, get_origin

import msgspec

from stages.common.files import new_file
from stages.records.json_file import unreadable
from stages.records.record import Record

if TYPE_CHECKING:
    import pandas as pd

R = TypeVar("R", bound=Record)
FLOAT = "%.10g"  # more digits than anything here is measured with; rounding is up to who measures
# How a formula begins (the wide signs count where Chinese, Japanese or Korean is written), after
# any apostrophes: so the file tells the text "=1" from the text "'=1".
FORMULA = re.compile("'*[-=+@\t\r\n＝＋－＠]")


class TableFile(Generic[R]):
    """The file `name` in any folder, with a column for each field of `row`.

    `others`: a field of type `dict[str, ...]` that holds all further columns, those whose names
    begin with `prefix`; they differ from table to table.
    """

    def __init__(
        self, name: str, row: type[R], *, others: str | None = None, prefix: str = ""
    ) -> None:
        self.name, self.row, self.others, self.prefix = name, row, others, prefix
        fields = {field.name: field.type for field in msgspec.structs.fields(row)}
        self._other_kind = _kind(get_args(fields.pop(others))[1]) if others else "text"
        self._kinds = {name: _kind(type) for name, type in fields.items()}
        self._needed = {f.name for f in msgspec.structs.fields(row) if f.required} - {others}

    @property
    def columns(self) -> list[str]:
        """The columns that every such table has."""
        return list(self._kinds)

    def path(self, folder: Path) -> Path:
        return folder / self.name

    def read(self, folder: Path) -> list[R]:
        """Raises `UserError` if the file is missing or a row is not of the type."""
        path = self.path(folder)
        try:
            with path.open(encoding="utf-8", newline="") as file:
                lines = csv.DictReader(file)
                lines.fieldnames = [_bare(name) for name in lines.fieldnames or ()]
                if missing := self._needed - set(lines.fieldnames):
                    raise csv.Error(f"it has no column {min(missing)!r}")
                # Row by row: all rows as text would take three times the memory of the records.
                return [
                    msgspec.convert(self._from_text(cells), self.row, strict=False)
                    for cells in lines
                ]
        except (OSError, msgspec.DecodeError, csv.Error, KeyError) as error:
            raise unreadable(path, error) from error

    def write(self, folder: Path, rows: Iterable[R]) -> None:
        """The file appears whole or not at all. All rows must have the same other columns."""
        rows = list(rows)
        others = list(getattr(rows[0], self.others)) if self.others and rows else []
        names = [_safe(name) for name in (*self._kinds, *(self.prefix + o for o in others))]
        self._write(folder, chain([names], (self._to_text(row, others) for row in rows)))

    def frame(self, folder: Path) -> "pd.DataFrame":
        """The table with typed columns: str ("" where empty), float (NaN), int64, Int64 (NA), bool.

        Words and JSON stay text. Raises `UserError` as `read` does.
        """
        import pandas as pd

        path = self.path(folder)
        try:
            text = pd.read_csv(path, dtype=str, keep_default_na=False).rename(columns=_bare)
            return text.assign(**{str(name): self._column(text[name]) for name in text})
        except (OSError, KeyError, ValueError) as error:
            raise unreadable(path, error) from error

    def write_frame(self, folder: Path, table: "pd.DataFrame") -> None:
        """Write a frame whose columns are those of the type, in any order."""
        names = [*self._kinds, *(name for name in table if name not in self._kinds)]
        whole = table[names].astype(object).where(table[names].notna(), None)
        kinds = [self._kinds.get(name, self._other_kind) for name in names]
        lines = (
            [_text(value, kind) for value, kind in zip(row, kinds, strict=True)]
            for row in whole.itertuples(index=False)
        )
        self._write(folder, chain([[_safe(name) for name in names]], lines))

    def _write(self, folder: Path, lines: Iterable[list[str]]) -> None:
        """Not by `csv.writer`, which leaves a carriage return unquoted that ends the line for all
        readers."""
        with new_file(self.path(folder)) as part, part.open("w", encoding="utf-8", newline="") as f:
            f.writelines(",".join(map(_quoted, cells)) + "\n" for cells in lines)

    def _to_text(self, row: R, others: list[str]) -> list[str]:
        cells = [_text(getattr(row, name), kind) for name, kind in self._kinds.items()]
        more = getattr(row, self.others) if self.others else {}
        return cells + [_text(more[name], self._other_kind) for name in others]

    def _from_text(self, cells: dict[str, str]) -> dict[str, Any]:
        """A missing column is left to the field's default, or to msgspec, which names it."""
        kinds = {name: kind for name, kind in self._kinds.items() if name in cells}
        row: dict[str, Any] = {name: _value(cells.pop(name), kind) for name, kind in kinds.items()}
        if self.others:
            start = len(self.prefix)
            row[self.others] = {k[start:]: _value(v, self._other_kind) for k, v in cells.items()}
        return row

    def _column(self, text: "pd.Series") -> "pd.Series":
        import pandas as pd

        kind = self._kinds.get(str(text.name), self._other_kind)
        if kind == "bool":
            return text == "1"
        if kind == "float":
            return pd.to_numeric(text).astype(float)
        if kind == "int":
            whole = pd.to_numeric(text.where(text != "", None)).astype("Int64")
            return whole if whole.isna().any() else whole.astype("int64")
        return text.map(_bare) if kind == "text" else text


def _kind(type: Any) -> str:
    """text, int, float, bool, words or json: how a field's values become cells."""
    if get_origin(type) in (Union, UnionType):
        (type,) = (each for each in get_args(type) if each is not NoneType)
    if type is str or get_origin(type) is Literal:
        return "text"
    if type in (int, float, bool):
        return type.__name__
    return "words" if type == tuple[str, ...] else "json"


def _value(cell: str, kind: str) -> Any:
    if kind == "text":
        return _bare(cell)
    if kind == "words":
        return cell.split()
    if cell == "":
        return None
    return msgspec.json.decode(cell) if kind == "json" else cell


def _text(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "bool":
        return str(int(value))
    if kind == "float":
        return FLOAT % value
    if kind == "text":
        return _safe(str(value))
    if isinstance(value, str):  # words and JSON of a frame
        return value
    if kind == "words":
        return " ".join(value)
    return msgspec.json.encode(value).decode() if kind == "json" else str(value)


def _safe(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) else text


def _bare(cell: str) -> str:
    """The text that `_safe` made `cell` of."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if re.search('[",\r\n]', cell) else cell
