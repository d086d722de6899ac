"""Which photos belong together: one person's, and duplicates of one another."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def groups(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """For each row, the smallest id of its group.

    A group is a connected component: photos linked by the same `person` (where not "") or by a
    row of `pairs` (ids `a`, `b`; those not in `table` link nothing).
    """
    place = np.arange(len(table))
    first = pd.Series(place).groupby(table.person.to_numpy()).transform("first").to_numpy()
    persons = np.column_stack([place, np.where(table.person == "", place, first)])
    duplicates = np.column_stack([pd.Index(table.id).get_indexer(pairs[side]) for side in "ab"])
    links = np.vstack([persons, duplicates[(duplicates >= 0).all(1)]])
    graph = coo_array((np.ones(len(links)), links.T), shape=(len(table),) * 2)
    _, component = connected_components(graph, directed=False)
    return table.id.groupby(component).transform("min")


def conflicts(table: pd.DataFrame, pairs: pd.DataFrame) -> pd.Series:
    """For each row, the ids of its duplicates under another label, joined by ", "; "" if none.

    Duplicates of a duplicate count: they are the same picture.
    """
    cluster = groups(table.assign(person=""), pairs)
    several = table.label.groupby(cluster).transform("nunique") > 1
    found = pd.Series("", table.index)
    for _, rows in table[several].groupby(cluster):
        for row in rows.itertuples():
            found[row.Index] = ", ".join(rows.id[rows.label != row.label])
    return found
