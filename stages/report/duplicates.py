"""Photos that are one shot, the same picture under two labels, and labels that are probably wrong:
for people to look at."""

from pathlib import Path
from typing import Any

import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stages.common.tables import read_table
from stages.report.pictures import png

CLUSTERS = 12  # shown of those under one label, and of those under several
PHOTOS = 8  # shown of each
SUSPECTS = 24


def duplicates(data: Path, task: str, manifest: pd.DataFrame) -> dict[str, Any]:
    """`conflicts` and `copies` (clusters under several labels and under one: their number, and
    photos of the largest), `suspects` (their number, and the least likely labels)."""
    photos = manifest.set_index("id")
    crops = data / "faces" / task / "images"
    found = clusters(read_table(data / "splits" / task / "duplicates.csv"))
    several = [photos.loc[ids, "label"].nunique() > 1 for ids in found]
    suspects = read_table(data / "suspects" / task / "suspects.csv")
    agree = float((suspects["label"] == suspects["likely"]).mean())
    suspects = suspects[suspects["suspect"] == "1"]

    def shown(ids: list[str]) -> list[dict[str, str]]:
        return [
            {
                "picture": png(crops / f"{id}.png", 112),
                "label": photos["label"][id],
                "name": photos["name"][id],
            }
            for id in ids
        ]

    def part(conflict: bool) -> dict[str, Any]:
        of_kind = [ids for ids, many in zip(found, several, strict=True) if many == conflict]
        return {
            "count": len(of_kind),
            "photos": sum(map(len, of_kind)),
            "clusters": [
                {"more": max(0, len(ids) - PHOTOS), "shown": shown(ids[:PHOTOS])}
                for ids in of_kind[:CLUSTERS]
            ],
        }

    first = suspects[:SUSPECTS]
    return {
        "conflicts": part(True),
        "copies": part(False),
        "suspects": len(suspects),
        "agree": agree,
        "suspected": [
            photo | {"likely": row.likely, "p": float(row.p_label)}
            for photo, row in zip(shown(list(first["id"])), first.itertuples(), strict=True)
        ],
    }


def clusters(pairs: pd.DataFrame) -> list[list[str]]:
    """Ids that `pairs` (columns a, b) connect, the largest cluster first."""
    ids = pd.Index(sorted({*pairs["a"], *pairs["b"]}))
    links = (ids.get_indexer(pairs["a"]), ids.get_indexer(pairs["b"]))
    graph = coo_array(([1] * len(pairs), links), shape=(len(ids),) * 2)
    _, component = connected_components(graph, directed=False)
    found = [list(group) for _, group in pd.Series(ids).groupby(component)]
    return sorted(found, key=lambda group: (-len(group), group))
