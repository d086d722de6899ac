"""Tables as they are on disk."""

from pathlib import Path

import pandas as pd


def read_table(path: Path) -> pd.DataFrame:
    """All columns as text, an empty cell as ""."""
    return pd.read_csv(path, dtype=str, keep_default_na=False)
