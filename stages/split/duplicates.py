"""Pairs of photos that are one shot: saved again, resized, cropped, mirrored, recoloured.

Photos are compared twice: whole, and as face crops, which find a shot that was framed anew. An
index proposes pairs, so that the time does not grow with the square of the photos. A comparison in
detail decides, so that two people who look alike do not count as one picture.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.parallel import map_cores
from stages.split.alignment import compare
from stages.split.neighbours import candidates
from stages.split.thumbnails import thumbnails

BLOCK = 256  # pairs that a process takes at a time
FEW = 8  # so many blocks are compared without worker processes, which take longer to start


def find_duplicates(
    ids: Iterable[str],
    photos: Mapping[str, Path],
    faces: Mapping[str, Path],
    least: float,
    *,
    scratch: Path,
    workers: int | None = None,
) -> pd.DataFrame:
    """A row for each pair, as `stages.records.splits.Duplicate`, sorted; `similarity` >= `least`.

    `photos`, `faces`: the file of each of `ids`. The order of `ids` does not matter. Of many copies
    of one shot, not every pair is listed, but the pairs connect them all.
    `scratch` keeps the thumbnails for the next run.
    """
    names = np.array(sorted(ids))
    found = []
    for view, files in (("photo", photos), ("face", faces)):
        mine = [files[id] for id in names]
        pairs, similarities = similar_pairs(
            # In no variable of this loop, which would keep them while the next view's are read
            thumbnails(mine, scratch / view, desc=f"read {view}s", workers=workers),
            least,
            desc=f"{view} pairs",
            workers=workers,
        )
        found.append(
            pd.DataFrame({"a": names[pairs[:, 0]], "b": names[pairs[:, 1]], "view": view})
            .assign(mirrored=pairs[:, 2] == 1, similarity=similarities)
            .sort_values("similarity", ascending=False, kind="stable")
            .drop_duplicates(["a", "b"])
        )
    table = pd.concat(found).drop_duplicates(["a", "b"])  # the whole picture says more
    return table.sort_values(["a", "b"], ignore_index=True)


def similar_pairs(
    pictures: np.ndarray, least: float, *, desc: str, workers: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Of (n, 64, 64) `uint8` thumbnails: pairs (m, 3), as `candidates`; similarities (m,)."""
    pairs = candidates(pictures)
    blocks = [pairs[k : k + BLOCK] for k in range(0, len(pairs), BLOCK)]
    compared = map_cores(
        compare,
        ((pictures[block[:, 0]], pictures[block[:, 1]], block[:, 2]) for block in blocks),
        desc=desc,
        total=len(blocks),
        unit="block",
        workers=workers,
        few=FEW,
    )
    similarities = np.concatenate([np.empty(0), *compared])
    return pairs[similarities >= least], similarities[similarities >= least]
