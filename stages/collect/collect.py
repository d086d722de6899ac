"""Photos from a source -> verified originals, `manifest.csv` and `rejected.csv`."""

import logging
from functools import partial
from pathlib import Path

import pandas as pd

from stages.collect import drawn, folder
from stages.collect.candidate import check
from stages.common.errors import UserError
from stages.common.parallel import map_cores
from stages.common.params import Collect
from stages.common.tables import write_table

SOURCES = {"folder": folder.candidates, "synthetic": drawn.candidates}
MANIFEST = [
    *("id", "sha256", "label", "person", "source", "name", "licence", "author"),
    *("width", "height", "phash", "part"),
]
REJECTED = ["name", "label", "reason"]
TRUTH = ["id", "x", "y", "w", "h"]
FEWEST = 3  # photos a class: one each to train on, to choose by and to test with

log = logging.getLogger(__name__)


def collect(params: Collect, classes: list[str], out: Path, *, key: str) -> pd.DataFrame:
    """Fill the folder `out` (see the module) and return the manifest.

    Every file the source offers has a row in the manifest or in `rejected.csv`; `truth/` is
    written where the source knows the truth. `key` is where `params` stand, for messages.
    Raises `UserError` for what is wrong with the source, or a class with too few photos.
    """
    found, refused = SOURCES[params.source](params, classes, key)
    (out / "images").mkdir()
    if params.source == "synthetic":
        (out / "truth/masks").mkdir(parents=True)
    checked = map_cores(partial(check, out=out), found, desc="collect", total=len(found))
    columns = dict.fromkeys([*MANIFEST, *TRUTH, "reason"])
    table = pd.DataFrame([*checked, *refused], columns=list(columns), dtype=object).fillna("")
    table = set_duplicates_aside(table.sort_values(["part", "label", "name"], ignore_index=True))
    kept = table[table.reason == ""]
    _refuse_small_classes(table, classes, key)

    ids = set(kept.id)
    for file in [*out.glob("images/*"), *out.glob("truth/masks/*")]:
        if file.stem not in ids:  # both sides of a conflict were written
            file.unlink()
    write_table(out / "manifest.csv", kept[MANIFEST])
    write_table(out / "rejected.csv", table.loc[table.reason != "", REJECTED])
    if params.source == "synthetic":
        write_table(out / "truth/truth.csv", kept[TRUTH])
    counts = ", ".join(f"{part} {n}" for part, n in kept.part.value_counts().items())
    log.info("kept %d photos (%s), set aside %d", len(kept), counts, len(table) - len(kept))
    return kept[MANIFEST]


def set_duplicates_aside(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with a `reason` for each row whose bytes another row has too (same `sha256`).

    Of one class, the first row stays; one in wild goes before one in the pool, for an exam photo
    must not be trained on. Under several labels nobody knows which is right: none stays.
    """
    table = table.copy()
    opened = table[table.reason == ""]
    for _, twins in opened[opened.duplicated("sha256", keep=False)].groupby("sha256"):
        if twins.label.nunique() > 1:
            for row in twins.index:
                others = ", ".join(twins.name.drop(row))
                table.loc[row, "reason"] = f"same picture under another label: {others}"
        else:
            first = twins.sort_values("part", ascending=False, kind="stable").iloc[0]  # wild first
            table.loc[twins.index.drop(first.name), "reason"] = f"same picture as {first['name']}"
    return table


def _refuse_small_classes(table: pd.DataFrame, classes: list[str], key: str) -> None:
    pool = table[table.part == "pool"]
    for name in classes:
        reasons = pool.reason[pool.label == name]
        if (usable := (reasons == "").sum()) < FEWEST:
            why = "; ".join(reasons[reasons != ""].unique()[:3])
            raise UserError(
                f"{key}: class {name!r} has {usable} usable photos, and needs at least {FEWEST}"
                f" to be split (set aside: {(reasons != '').sum()}{why and ': ' + why})"
            )
