"""Who is answered worse: the accuracy of parts of a part, and the gap to the rest of it."""

from typing import Any

import numpy as np
import pandas as pd

from stages.common.errors import UserError
from stages.common.metrics import share_interval

FEWEST = 5  # photos of a slice, and of the others; fewer say nothing


def slice_columns(
    names: tuple[str, ...],
    key: str,
    manifest: pd.DataFrame,
    faces: pd.DataFrame,
    mattes: pd.DataFrame,
) -> dict[str, pd.Series]:
    """Of each name in params' `key` (`tasks.<task>.evaluate.slices`): id -> list of text values.

    `flags` are those of `faces` and `mattes` together; any other name is a column of `faces`, or
    else of `manifest`. Raises `UserError` for one that neither has.
    """
    tables = {"manifest.csv": manifest.set_index("id"), "faces.csv": faces.set_index("id")}
    found = {}
    for name in names:
        if name == "flags":
            both = pd.concat([tables["faces.csv"]["flags"], mattes.set_index("id")["flags"]])
            found[name] = both.str.split().groupby(level=0).sum()
            continue
        table = next((t for t in reversed(tables.values()) if name in t), None)
        if table is None:
            there = ["flags", *dict.fromkeys([*tables["faces.csv"], *tables["manifest.csv"]])]
            raise UserError(
                f"params.yaml: {key}: {name!r} is no column of faces.csv or manifest.csv; "
                f"there are: {', '.join(there)}"
            )
        found[name] = table[name].map(lambda value: [value] if value else [])
    return found


def slices(
    ids: list[str], right: np.ndarray, groups: np.ndarray, columns: dict[str, pd.Series]
) -> list[dict[str, Any]]:
    """A row for each value in `columns` that at least 5 of a part's photos have, and 5 have not.

    `right`: bool (N,), which of the photos `ids` were answered rightly; `groups`: (N,). `gap` is
    the slice's accuracy minus that of all other photos of the part. Its 95 % interval is put
    together from both accuracies' intervals (Newcombe 1998; Zou and Donner 2008,
    https://doi.org/10.1002/sim.3095), which also holds where a slice is all right or all wrong.
    """
    rows = []
    for column, values in columns.items():
        of_photo = values.reindex(ids)
        for value in sorted({v for some in of_photo.dropna() for v in some}):
            inside = np.array([isinstance(v, list) and value in v for v in of_photo], bool)
            if FEWEST <= inside.sum() <= len(ids) - FEWEST:
                rows.append({"column": column, "value": value} | _compare(inside, right, groups))
    return rows


def _compare(inside: np.ndarray, right: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    here, rest = right[inside].mean(), right[~inside].mean()
    low, high = share_interval(right[inside], groups[inside])
    rest_low, rest_high = share_interval(right[~inside], groups[~inside])
    gap = here - rest
    return {
        "n": int(inside.sum()),
        "groups": len(np.unique(groups[inside])),
        "accuracy": float(here),
        "low": low,
        "high": high,
        "gap": float(gap),
        "gap_low": float(gap - np.hypot(here - low, rest_high - rest)),
        "gap_high": float(gap + np.hypot(high - here, rest - rest_low)),
    }
