"""Photos from the task's sources -> verified originals, `manifest.csv` and `rejected.csv`."""

import logging
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from stages.collect import commons, drawn, folder, huggingface, urls
from stages.collect.candidate import Candidate, Context, check
from stages.collect.columns import MANIFEST, TRUTH, Bins, valued
from stages.collect.forgotten import REASON, Forgotten
from stages.common.errors import UserError
from stages.common.parallel import map_cores
from stages.common.tables import write_table
from stages.records.params import Collect

SOURCES = {
    "folder": folder.candidates,
    "synthetic": drawn.candidates,
    "urls": urls.candidates,
    "commons": commons.candidates,
    "huggingface": huggingface.candidates,
}
REJECTED = ["name", "label", "reason", "source", "licence", "page"]
FEWEST = 3  # photos a class: one each to train on, to choose by and to test with

log = logging.getLogger(__name__)


def collect(
    params: Collect,
    classes: list[str],
    out: Path,
    *,
    key: str,
    downloads: Path,
    forgotten: Forgotten,
    bins: Bins | None = None,
) -> pd.DataFrame:
    """Fill the folder `out` (see the module) and return the manifest.

    Every file the sources offer has a row in the manifest or in `rejected.csv`; `truth/` is
    written where a source knows the truth. `key` is where `params` stand, for messages;
    `downloads` keeps what comes from the network for the next time. Columns that sources bring
    stand at the manifest's end, `value` first; with `bins` a photo's must be one of its class's.
    Raises `UserError` for what is wrong with a source, or a class with too few photos.
    """
    found = [_forget(candidate, forgotten) for candidate in _offered(
        params, classes, key=key, downloads=downloads, forgotten=forgotten, bins=bins
    )]  # fmt: skip
    (out / "images").mkdir()
    drawn_too = any(source.source == "synthetic" for source in params.sources)
    if drawn_too:
        (out / "truth/masks").mkdir(parents=True)
    checked = map_cores(partial(check, out=out), found, desc="collect", total=len(found))
    brought = dict.fromkeys(name for candidate in found for name in candidate.columns)
    manifest = MANIFEST + sorted(brought, key=lambda name: name != "value")
    columns = dict.fromkeys([*manifest, *TRUTH, "reason"])
    table = pd.DataFrame(list(checked), columns=list(columns), dtype=object).fillna("")
    table = table.sort_values(["part", "label", "name", "source"], ignore_index=True, kind="stable")
    table = set_duplicates_aside(_hide_forgotten(table, forgotten))
    kept = table[table.reason == ""]
    _refuse_small_classes(table, classes, key)

    ids = set(kept.id)
    for file in [*out.glob("images/*"), *out.glob("truth/masks/*")]:
        if file.stem not in ids:  # both sides of a conflict were written, and who is forgotten
            file.unlink()
    write_table(out / "manifest.csv", kept[manifest])
    write_table(out / "rejected.csv", table.loc[table.reason != "", REJECTED])
    if drawn_too:
        write_table(out / "truth/truth.csv", kept.loc[kept.x != "", TRUTH])
    counts = ", ".join(f"{part} {n}" for part, n in kept.part.value_counts().items())
    log.info("kept %d photos (%s), set aside %d", len(kept), counts, len(table) - len(kept))
    return kept[manifest]


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


def _offered(params: Collect, classes: list[str], **context: object) -> list[Candidate]:
    """What all sources offer, each class by one of them at least."""
    key, bins = context.pop("key"), context.get("bins")
    lists = {params.path / s.file for s in params.sources if getattr(s, "file", None)}
    found = []
    for number, source in enumerate(params.sources):
        own = Context(
            root=params.path,
            classes=classes,
            key=f"{key}.sources.{number}",
            lists=frozenset(lists),
            **context,
        )
        found += [valued(candidate, bins) for candidate in SOURCES[source.source](source, own)]
    full = {c.label for c in found if c.part == "pool" and not c.reason}
    if empty := [name for name in classes if name not in full]:
        raise UserError(
            f"{key}.sources: no photos for {', '.join(map(repr, empty))}: each class needs a folder"
            f" of its name in {str(params.path)!r} with photos in it (links to folders are not"
            f" followed), or another source that has it{_why(found, empty)}"
        )
    return found


def _why(found: list[Candidate], labels: list[str]) -> str:
    reasons = dict.fromkeys(c.reason for c in found if c.label in labels)
    return f" (set aside: {'; '.join(list(reasons)[:3])})" if reasons else ""


def _forget(candidate: Candidate, forgotten: Forgotten) -> Candidate:
    """Who is forgotten by name is not even opened."""
    return replace(candidate, reason=REASON) if forgotten.person(candidate.person) else candidate


def _hide_forgotten(table: pd.DataFrame, forgotten: Forgotten) -> pd.DataFrame:
    """The rows stay, so that every file is accounted for; what tells who they show goes."""
    table = table.copy()
    hit = forgotten.pictures(table) | (table.reason == REASON)
    table.loc[hit, ["person", "author", "credit", "page"]] = ""
    table.loc[hit, ["name", "reason"]] = ["(forgotten)", REASON]
    if hit.any():
        log.warning("%d pictures are forgotten: delete them from the sources, too", hit.sum())
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
