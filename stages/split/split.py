"""Photos -> train, val, test and wild; no duplicate is in two of them, and no person if asked."""

import logging
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from stages.common.errors import UserError
from stages.records.splits import Together, kept_together
from stages.split.groups import conflicts, groups, join_faces, shots

if TYPE_CHECKING:
    from stages.records.params import Split

PARTS = ("train", "val", "test")

log = logging.getLogger(__name__)


def split(
    table: pd.DataFrame,
    duplicates: pd.DataFrame,
    classes: list[str],
    params: "Split",
    *,
    faces: np.ndarray | None = None,
    key: str = "split",
) -> pd.DataFrame:
    """Deal the photos out in whole groups: all photos of a person, all copies of a shot.

    If `params.keep_together` is "shot", only the copies of a shot stay together.

    `table`: a row for each photo, in any order: id, label, person ("" if unknown), part ("pool" or
    "wild"). `duplicates`: columns a and b, ids. `faces`: (n, d), of length 1, of each row's face;
    with them, photos whose faces are alike (`params.same_face`) are one person's, see `people`.
    `key`: where `params` are, for messages.
    Returns the rows sorted by id, with `group` and `shot` (the smallest id in it) and `part`:
    train, val or test for the pool; wild stays wild. A photo that is set aside has the part "" and
    a `reason`: either a duplicate has another label, so that one of both is wrong; or it is a wild
    photo, and what is to be kept together with it is in the pool, so that the network could know
    its answer.
    Every class is in every part. Raises `UserError` for a class with too few groups for that.
    """
    order = np.argsort(table.id.to_numpy(str))
    table = table.iloc[order].reset_index(drop=True)
    others = conflicts(table, duplicates)
    conflict = others != ""
    table["group"] = table["shot"] = table.id
    group = groups(table[~conflict], duplicates)
    if faces is not None and params.same_face is not None:
        shown = faces[order][~conflict]
        group = join_faces(table[~conflict], group, shown, params.same_face)
    table.loc[~conflict, "group"] = group
    table.loc[~conflict, "shot"] = shots(table.id[~conflict], duplicates)
    unit = table[kept_together(params.keep_together)]
    table["reason"] = ("same picture under another label: " + others).where(conflict, "")
    table.loc[conflict, "part"] = ""
    pool = table.part == "pool"
    known = (table.part == "wild") & unit.isin(unit[pool])
    table.loc[known, "part"] = ""
    who = "a duplicate" if params.keep_together == "shot" else "its person or a duplicate"
    table.loc[known, "reason"] = f"{who} is in the pool: " + unit

    counts = pd.crosstab(unit[pool], table.label[pool]).reindex(columns=classes, fill_value=0)
    for name in classes:
        if (found := (counts[name] > 0).sum()) < len(PARTS):
            raise UserError(
                f"{key}: class {name!r} has {counts[name].sum()} photos in {found} groups (one "
                f"person, or duplicates; {(conflict & (table.label == name)).sum()} photos have "
                f"another label too), and needs {len(PARTS)} for {', '.join(PARTS)}: add photos of "
                "other people, take `person` out of collect.sources if file names do not tell "
                "persons, set split.keep_together to shot, or raise split.duplicate_similarity or "
                "split.same_face"
            )
    shares = np.array([1 - params.val - params.test, params.val, params.test])
    part = deal(counts.to_numpy(), shares, params.seed)
    sizes = [np.bincount(part[counts[name] > 0], minlength=len(PARTS)) for name in classes]
    for name, size in zip(classes, sizes, strict=True):
        if 0 in size:
            raise UserError(
                f"{key}: class {name!r} cannot be in each of {', '.join(PARTS)}: its groups hold "
                "photos of other classes too, and those need them elsewhere; see whether the "
                "photos of one person are in several classes"
            )
    part = pd.Series(np.array(PARTS)[part], counts.index)
    table.loc[pool, "part"] = unit[pool].map(part)
    return table


def deal(counts: np.ndarray, shares: np.ndarray, seed: int) -> np.ndarray:
    """The part (index into `shares`) of each group, such that each class is divided by `shares`.

    `counts`: (groups, classes), photos of each class in each group. Large groups come first, in
    random order among equals. Each goes to the part where it lowers the error most: the squared
    distance from the photo counts asked for, relative to them. So every part gets large and small
    groups. A solver for the least error would not do that, and scikit-learn's StratifiedGroupKFold
    has equal folds only. At last, groups that can be spared move to parts that lack a class.
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
        ]  # its part keeps another group of each of its classes
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


def leaks(
    table: pd.DataFrame, duplicates: pd.DataFrame, together: Together = "person"
) -> pd.DataFrame:
    """Pairs of photos in two parts that are duplicates or share a person: a, b (ids), why.

    With `together` "shot" a person may be in several parts.
    `table`: id, person, group, part; a row whose part is "" is in no part. This looks at the parts
    only, not at how they were made.
    """
    table = table[table.part != ""]
    found = [duplicates[["a", "b"]].assign(why="duplicates")]
    if together == "person":
        found.append(_first_of_each_part(table[table.person != ""], "person", "one person"))
        found.append(_first_of_each_part(table, "group", "one group"))
    found = pd.concat(found).drop_duplicates(["a", "b"])
    part = table.set_index("id").part
    a, b = found.a.map(part), found.b.map(part)
    return found[a.notna() & b.notna() & (a != b)].reset_index(drop=True)


def _first_of_each_part(table: pd.DataFrame, column: str, why: str) -> pd.DataFrame:
    """Pairs of photos, a and b, that have one value of `column` and are in two parts."""
    firsts = table.drop_duplicates([column, "part"]).sort_values(column, kind="stable")
    again = firsts[column] == firsts[column].shift()
    return pd.DataFrame({"a": firsts.id.shift()[again], "b": firsts.id[again], "why": why})


def refuse_leaks(
    table: pd.DataFrame, duplicates: pd.DataFrame, together: Together = "person"
) -> None:
    """Called before anything is written. Raises AssertionError: a leak is a bug of this room."""
    if len(found := leaks(table, duplicates, together)):
        raise AssertionError(f"{len(found)} leaks between the parts, first:\n{found.head()}")


def summary(table: pd.DataFrame) -> None:
    """Log the photos of each class in each part, and what was set aside."""
    sizes = table.group.value_counts()
    log.info("%d groups, the largest of %d photos", len(sizes), sizes.max())
    log.info("%s", pd.crosstab(table.label, table.part.replace("", "(removed)")))
    reasons = table.reason[table.reason != ""].str.split(":").str[0]
    for reason, count in reasons.value_counts().items():
        log.warning("%d photos set aside: %s", count, reason)
