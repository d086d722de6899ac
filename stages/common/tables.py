"""CSV tables between the stages: UTF-8, a header, one row a picture, every cell text."""

from pathlib import Path

import pandas as pd

from stages.common.files import new_file


def read_table(path: Path) -> pd.DataFrame:
    """All columns as text, an empty cell as "": convert numbers where they are used."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def write_table(path: Path, table: pd.DataFrame) -> None:
    with new_file(path) as part:
        table.to_csv(part, index=False, lineterminator="\n", float_format="%.6g")
