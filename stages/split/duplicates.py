"""Pairs of photos that are one shot: saved again, resized, cropped, mirrored, recoloured.

Each photo is seen twice: whole, and as its face crop, which finds a shot again that somebody framed
otherwise. An index proposes pairs, a comparison in detail decides, so that neither the time grows
with the square of the photos nor people who look alike are taken for one picture.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.parallel import map_cores
from stages.split.alignment import compare
from stages.split.neighbours import candidates
from stages.split.thumbnails import thumbnails

BLOCK = 256  # pairs that a process takes at a time
FEW = 8  # blocks that are not worth starting processes for
COLUMNS = ["a", "b", "view", "mirrored", "similarity"]


def find_duplicates(
    ids: Sequence[str],
    photos: Path,
    faces: Path,
    least: float,
    *,
    scratch: Path,
    workers: int | None = None,
) -> pd.DataFrame:
    """A row a pair of duplicates: a < b (ids), view, mirrored (0 or 1), similarity (`least` to 1).

    `photos`, `faces`: folders with a file <id>.<ext> for each of `ids`. `view` is "photo" where
    the whole pictures agree, "face" where only the face crops do. The order of `ids` does not
    matter. Clusters are what the pairs connect: of many copies not each pair is listed.
    `scratch` keeps the thumbnails for the next run.
    """
    ids = np.array(sorted(ids))
    found = []
    for view, folder in (("photo", photos), ("face", faces)):
        files = {path.stem: path for path in folder.iterdir()}
        pictures = thumbnails(
            [files[id] for id in ids], scratch / view, desc=f"read {view}s", workers=workers
        )
        pairs, similarities = similar_pairs(pictures, least, desc=f"{view} pairs", workers=workers)
        found.append(
            pd.DataFrame({"a": ids[pairs[:, 0]], "b": ids[pairs[:, 1]], "view": view})
            .assign(mirrored=pairs[:, 2], similarity=similarities)
            .sort_values("similarity", ascending=False, kind="stable")
            .drop_duplicates(["a", "b"])
        )
    table = pd.concat(found).drop_duplicates(["a", "b"])  # the whole picture says more
    return table.sort_values(["a", "b"], ignore_index=True)[COLUMNS]


def similar_pairs(
    pictures: np.ndarray, least: float, *, desc: str, workers: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Of (n, 64, 64) thumbnails: (m, 3) rows a < b and whether mirrored, and their similarity."""
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
