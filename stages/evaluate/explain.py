"""Maps of what answers rest on: on how much of the person, and pictures of the surest answers."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from stages.common.images import read_png
from stages.common.metrics import share_interval
from stages.evaluate.occlusion import as_picture, average, inside, maps, person
from stages.records.shards import Shards

if TYPE_CHECKING:
    import keras

SAMPLE = 100  # photos of a part that `inside` is measured on
SHOWN = 12  # of the surest right answers, and of the surest mistakes
SEED = 1
COLUMNS = ("id", "part", "label", "predicted", "confidence", "inside", "area", "kind")


def explain(
    model: "keras.Model", shards: Shards, predictions: pd.DataFrame, cutouts: Path, kind: str
) -> tuple[dict[str, Any], pd.DataFrame, dict[str, np.ndarray]]:
    """`predictions`: a row a picture of `shards`, in order, with `COLUMNS` up to confidence and
    `group`. `cutouts`: a folder of <id>.png, RGBA. `kind`: classification or regression.

    Returns the part's summary (share of the maps that lies on the person, with its 95 % interval
    over groups, and `area`, the share of the picture that the person covers: what a network that
    looks everywhere alike would reach; of a random sample), and of the surest right and wrong
    answers a table of `COLUMNS` and the maps by id, grey uint8 (H, W).
    """
    n = len(predictions)
    rng = np.random.default_rng(SEED)
    sample = np.sort(rng.choice(n, min(n, SAMPLE), replace=False)) if n else np.empty(0, int)
    shown = _surest(predictions)
    rows = np.union1d(sample, shown).astype(int)
    if not len(rows):
        return _summary(*np.empty((3, 0))), pd.DataFrame(columns=COLUMNS), {}

    pictures = shards.read(rows)
    ids = predictions["id"].to_numpy()[rows]
    shape = pictures.shape[1:3]
    persons = np.stack([person(read_png(cutouts / f"{id}.png")[..., 3], shape) for id in ids])
    part = predictions["part"].iloc[0]
    found = maps(
        model,
        pictures,
        average(shards.read(sample)),
        regression=kind == "regression",
        desc=f"what answers rest on, {part}",
    )
    shares, areas = inside(found, persons), persons.mean((1, 2))

    measured = np.isin(rows, sample) & ~np.isnan(shares)
    groups = predictions["group"].to_numpy()[rows][measured]
    summary = _summary(shares[measured], areas[measured], groups)

    place = {row: number for number, row in enumerate(rows)}
    at = np.array([place[row] for row in shown], int)
    table = predictions.iloc[shown].assign(
        inside=shares[at],
        area=areas[at],
        kind=np.where(_right(predictions)[shown], "right", "wrong"),
    )
    return summary, table[list(COLUMNS)], {ids[k]: as_picture(found[k]) for k in at}


def _summary(shares: np.ndarray, areas: np.ndarray, groups: np.ndarray) -> dict[str, Any]:
    if not len(shares):
        nothing = dict.fromkeys(("inside", "inside_low", "inside_high", "area"))
        return {"n": 0} | nothing
    low, high = share_interval(shares, groups)
    return {
        "n": len(shares),
        "inside": float(shares.mean()),
        "inside_low": low,
        "inside_high": high,
        "area": float(areas.mean()),
    }


def _surest(predictions: pd.DataFrame) -> np.ndarray:
    """Rows of the surest right answers, then of the surest wrong ones."""
    falling = np.argsort(-predictions["confidence"].to_numpy(float), kind="stable")
    right = _right(predictions)[falling]
    return np.concatenate([falling[right][:SHOWN], falling[~right][:SHOWN]])


def _right(predictions: pd.DataFrame) -> np.ndarray:
    return (predictions["label"] == predictions["predicted"]).to_numpy()
