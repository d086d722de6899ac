"""Photos -> train, val, test and wild, so that nothing learnt from one part is asked in another."""

import logging

import numpy as np
import pandas as pd

from stages.common.errors import UserError
from stages.split.groups import groups, near_duplicates

PARTS = ("train", "val", "test")

log = logging.getLogger(__name__)


def split(
    table: pd.DataFrame,
    classes: list[str],
    *,
    val: float,
    test: float,
    duplicate_distance: int,
    seed: int,
    key: str = "split",
) -> pd.DataFrame:
    """Deal the photos out in whole groups (one person, one cluster of near-duplicates).

    table: a row a photo, in any order: id, label, person ("" if unknown), phash (16 hex digits),
    part ("pool" or "wild"). val, test: shares of each class's pool photos.
    Returns the rows sorted by id, with `group` (its smallest id) and `part`: train, val or test
    for the pool; wild stays wild, unless the photo's group has photos in the pool too: an exam
    nobody has seen the answers of must do without it, so its part is "" and `reason` says why.
    Every class is in every part. `key` is where the parameters stand, for messages.
    Raises `UserError` for a class with too few groups for that.
    """
    table = table.sort_values("id", ignore_index=True)
    table["group"] = groups(table, duplicate_distance)
    table["reason"] = ""
    pool = table.part == "pool"
    known = ~pool & table.group.isin(table.group[pool])
    table.loc[known, "part"] = ""
    table.loc[known, "reason"] = "its person or a near-duplicate is in the pool: " + table.group

    counts = pd.crosstab(table.group[pool], table.label[pool]).reindex(
        columns=classes, fill_value=0
    )
    for name in classes:
        if (found := (counts[name] > 0).sum()) < len(PARTS):
            raise UserError(
                f"{key}: class {name!r} has {counts[name].sum()} photos in {found} groups (one "
                f"person, or near-duplicates), and needs {len(PARTS)} for {', '.join(PARTS)}: add "
                f"photos of other people, set collect.person to null if names do not tell persons,"
                f" or lower split.duplicate_distance (now {duplicate_distance})"
            )
    part = deal(counts.to_numpy(), np.array([1 - val - test, val, test]), seed)
    sizes = [np.bincount(part[counts[name] > 0], minlength=len(PARTS)) for name in classes]
    for name, size in zip(classes, sizes, strict=True):
        if 0 in size:
            raise UserError(
                f"{key}: class {name!r} cannot be in each of {', '.join(PARTS)}: its groups hold "
                f"photos of other classes too, and those need them elsewhere; see whether one "
                f"person's photos stand under several classes"
            )
    part = pd.Series(np.array(PARTS)[part], counts.index)
    table.loc[pool, "part"] = table.group[pool].map(part)
    return table


def deal(counts: np.ndarray, shares: np.ndarray, seed: int) -> np.ndarray:
    """The part (index into `shares`) of each group, such that each class is shared out as asked.

    counts: (groups, classes), photos of each class in each group. Large groups first, in random
    order among equals, each to the part where it most lowers the squared error of the photo
    counts relative to those asked for; so that large and small groups come into every part, which
    a solver for the smallest error (or scikit-learn's StratifiedGroupKFold, which knows equal
    folds only) would not do. Then groups move to where a class is missing, if they are spare.
    """
    target = np.maximum(np.outer(shares, counts.sum(0)), 1e-9)
    filled = np.zeros_like(target)
    part = np.empty(len(counts), np.int64)
    shuffled = np.random.default_rng(seed).permutation(len(counts))
    for group in shuffled[np.argsort(-counts.sum(1)[shuffled], kind="stable")]:
        part[group] = np.argmin(_cost(filled, counts[group], target))
        filled[part[group]] += counts[group]

    has = counts > 0
    present = np.array([has[part == p].sum(0) for p in range(len(shares))])  # groups, not photos
    for p, c in np.argwhere(present == 0):
        spare = [
            g for g in np.flatnonzero(has[:, c]) if (present[part[g]][has[g]] > 1).all()
        ]  # leave no class without a group where they come from
        if spare and present[p, c] == 0:
            group = min(spare, key=lambda g: (_cost(filled, counts[g], target)[p], g))
            for where, sign in ((part[group], -1), (p, 1)):
                present[where] += sign * has[group]
                filled[where] += sign * counts[group]
            part[group] = p
    return part


def _cost(filled: np.ndarray, group: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What adding `group` to each part adds to sum((filled - target)^2 / target)."""
    return ((2 * (filled - target) * group + group**2) / target).sum(1)


def leaks(table: pd.DataFrame, duplicate_distance: int) -> pd.DataFrame:
    """Pairs of photos in two parts that share a person or are near-duplicates: a, b (ids), why.

    table: id, person, phash, part; a row whose part is "" is in no part. Looks at the parts
    alone, not at how they were made.
    """
    table = table[table.part != ""].reset_index(drop=True)
    near = near_duplicates(table.phash, duplicate_distance)
    firsts = table[table.person != ""].drop_duplicates(["person", "part"])  # of each in each part
    firsts = firsts.sort_values("person", kind="stable")
    again = (firsts.person == firsts.person.shift()).to_numpy()
    same = np.column_stack([np.roll(firsts.index, 1)[again], firsts.index[again]])
    pairs = np.vstack([near, same])
    a, b = (table.iloc[pairs[:, side]].reset_index(drop=True) for side in (0, 1))
    why = ["near-duplicates"] * len(near) + ["one person"] * len(same)
    found = pd.DataFrame({"a": a.id, "b": b.id, "why": why})
    return found[a.part != b.part].reset_index(drop=True)


def refuse_leaks(table: pd.DataFrame, duplicate_distance: int) -> None:
    """The guard before anything is written. Raises AssertionError: a leak is a bug in here."""
    if len(found := leaks(table, duplicate_distance)):
        raise AssertionError(f"{len(found)} leaks between the parts, first:\n{found.head()}")


def summary(table: pd.DataFrame) -> None:
    """Log the photos of each class in each part, and what wild lost."""
    sizes = table.group.value_counts()
    log.info("%d groups, the largest of %d photos", len(sizes), sizes.max())
    log.info("%s", pd.crosstab(table.label, table.part.replace("", "(removed)")))
    if lost := (table.part == "").sum():
        log.warning(
            "%d wild photos set aside: their person or a near-duplicate is in the pool", lost
        )
