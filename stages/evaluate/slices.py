"""Which photos get worse answers: the accuracy of slices of a part, and the gap to its rest."""

import numpy as np
import pandas as pd

from stages.common.errors import UserError
from stages.networks.metrics import share_interval
from stages.records.evaluation import Slice
from stages.records.faces import FACES
from stages.records.folders import Folders
from stages.records.manifest import MANIFEST
from stages.records.mattes import MATTES

FEWEST = 5  # photos in a slice, and outside it: fewer would only measure chance

Values = dict[str, list[str]]  # id of a photo -> its values in one column


def read_columns(names: tuple[str, ...], at: Folders) -> dict[str, Values]:
    """`slice_columns` of a task's files."""
    return slice_columns(
        names,
        f"tasks.{at.task}.evaluate.slices",
        MANIFEST.frame(at.raw),
        FACES.frame(at.faces),
        MATTES.frame(at.mattes),
    )


def slice_columns(
    names: tuple[str, ...],
    key: str,
    manifest: pd.DataFrame,
    faces: pd.DataFrame,
    mattes: pd.DataFrame,
) -> dict[str, Values]:
    """The values of each photo in each of the columns `names`.

    `flags` are those of `faces` and `mattes` together. Any other name is a column of `faces`, or
    else of `manifest`. Raises `UserError`, naming params' `key` (`tasks.<task>.evaluate.slices`),
    for a column that neither has.
    """
    tables = {"manifest.csv": manifest.set_index("id"), "faces.csv": faces.set_index("id")}
    found = {}
    for name in names:
        if name == "flags":
            both = pd.concat([tables["faces.csv"]["flags"], mattes.set_index("id")["flags"]])
            found[name] = both.str.split().groupby(level=0).sum().to_dict()
            continue
        table = next((t for t in reversed(tables.values()) if name in t), None)
        if table is None:
            there = ["flags", *dict.fromkeys([*tables["faces.csv"], *tables["manifest.csv"]])]
            raise UserError(
                f"params.yaml: {key}: {name!r} is no column of faces.csv or manifest.csv; "
                f"there are: {', '.join(there)}"
            )
        found[name] = {id: _words(cell) for id, cell in table[name].items()}
    return found


def slices(
    ids: list[str], right: np.ndarray, groups: np.ndarray, columns: dict[str, Values]
) -> list[Slice]:
    """The slice of each value in `columns` that at least 5 of a part's photos have, and 5 have not.

    `right`: bool (N,), whether the answers to the photos `ids` are right; `groups`: (N,). `gap` is
    the slice's accuracy minus that of all other photos of the part. Its 95 % interval combines
    both accuracies' intervals (Newcombe 1998; Zou and Donner 2008,
    https://doi.org/10.1002/sim.3095), which also holds where a slice is all right or all wrong.
    """
    rows = []
    for column, values in columns.items():
        of_photo = [values.get(id, []) for id in ids]
        for value in sorted({value for each in of_photo for value in each}):
            inside = np.array([value in each for each in of_photo], bool)
            if FEWEST <= inside.sum() <= len(ids) - FEWEST:
                rows.append(_compare(column, value, inside, right, groups))
    return rows


def _compare(
    column: str, value: str, inside: np.ndarray, right: np.ndarray, groups: np.ndarray
) -> Slice:
    here, rest = right[inside].mean(), right[~inside].mean()
    low, high = share_interval(right[inside], groups[inside])
    rest_low, rest_high = share_interval(right[~inside], groups[~inside])
    gap = here - rest
    return Slice(
        column=column,
        value=value,
        n=int(inside.sum()),
        groups=len(np.unique(groups[inside])),
        accuracy=float(here),
        low=low,
        high=high,
        gap=float(gap),
        gap_low=float(gap - np.hypot(here - low, rest_high - rest)),
        gap_high=float(gap + np.hypot(high - here, rest - rest_low)),
    )


def _words(cell: object) -> list[str]:
    """A cell as its table shows it; an empty one has no value."""
    if cell is pd.NA or cell in ("", None) or cell != cell:  # NaN is not equal to itself
        return []
    return [f"{cell:g}" if isinstance(cell, float) else str(cell)]
