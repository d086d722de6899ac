"""CSV tables between the stages: UTF-8, a header, one row a picture, every cell text.

As pandas' tables; or as plain rows, for stages whose few new photos take less time than pandas
takes to start.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.files import new_file

if TYPE_CHECKING:
    import pandas as pd

FLOAT = "%.6g"


def read_table(path: Path) -> "pd.DataFrame":
    """All columns as text, an empty cell as "": convert numbers where they are used."""
    import pandas as pd

    return pd.read_csv(path, dtype=str, keep_default_na=False)


def write_table(path: Path, table: "pd.DataFrame") -> None:
    with new_file(path) as part:
        table.to_csv(part, index=False, lineterminator="\n", float_format=FLOAT)


def read_rows(path: Path) -> list[dict[str, str]]:
    """What `read_table` reads, a dictionary a row."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path: Path, columns: Sequence[str], rows: Iterable[Mapping]) -> None:
    """What `write_table` writes of rows that have a value for each of `columns`."""
    with new_file(path) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            values = (row[name] for name in columns)
            writer.writerow(FLOAT % v if isinstance(v, float) else v for v in values)
