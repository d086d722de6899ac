"""Which photos belong together: duplicates, and photos of one person."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.split.people import join


def groups(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """For each row, the smallest id of its group.

    A group is a connected component: two photos are linked if they have the same `person` (not "")
    or are a row of `pairs` (columns a and b: ids, perhaps of photos that are not in `table`).
    """
    place = np.arange(len(table))
    first = pd.Series(place).groupby(table.person.to_numpy()).transform("first").to_numpy()
    persons = np.column_stack([place, np.where(table.person == "", place, first)])
    duplicates = np.column_stack(
        [pd.Index(table.id).get_indexer(pd.Index(pairs[side])) for side in "ab"]
    )
    links = np.vstack([persons, duplicates[(duplicates >= 0).all(1)]])
    graph = coo_array((np.ones(len(links)), links.T), shape=(len(table),) * 2)
    _, component = connected_components(graph, directed=False)
    return table.id.groupby(component).transform("min")


def join_faces(table: pd.DataFrame, group: pd.Series, faces: np.ndarray, least: float) -> pd.Series:
    """`group` (as `groups` returns it), with those joined that show one person, see `join`.

    `faces`: (n, d), of the n photos of `table`.
    """
    number, _ = pd.factorize(group)
    named = (table.person != "").groupby(number).any().to_numpy()
    return table.id.groupby(join(number, named, faces, least)).transform("min")


def shots(ids: pd.Series, pairs: pd.DataFrame) -> pd.Series:
    """For each of `ids`, the smallest id of its shot: its duplicates (`pairs`), and theirs."""
    return groups(pd.DataFrame({"id": ids, "person": ""}), pairs)


def conflicts(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """For each row, the ids of its duplicates under another label, joined by ", "; "" if none.

    Duplicates of duplicates count, as they are the same picture.
    """
    cluster = shots(table.id, pairs)
    several = table.label.groupby(cluster).transform("nunique") > 1
    found = {}
    for _, rows in table[several].groupby(cluster):
        for id, label in zip(rows.id, rows.label, strict=True):
            found[id] = ", ".join(rows.id[rows.label != label])
    return pd.Series([found.get(id, "") for id in table.id], table.index)
