"""What the answers rest on: how much of it is the person, with maps of the surest answers."""

from pathlib import Path

import numpy as np

from stages.common.images import read_png
from stages.evaluate.occlusion import as_picture, average, inside, maps, patches, person
from stages.networks.metrics import share_interval
from stages.networks.predict import Network
from stages.records.evaluation import Explained, OnPerson
from stages.records.folders import picture
from stages.records.predictions import Prediction
from stages.records.shards import Pictures

SAMPLE = 100  # photos of a part that `OnPerson` is measured on, at most
SHOWN = 12  # maps of the surest right answers, and of the surest mistakes, at most
LEAST, FEW = 8, 2  # of both, at least
# Multiplications for a part's maps, about a quarter of a minute on one core: fewer photos for a
# network that computes more.
BUDGET = 5e11
SEED = 1


def explain(
    model: Network,
    pictures: Pictures,
    predictions: list[Prediction],
    mattes: Path,
    *,
    multiplications: float,
    regression: bool,
) -> tuple[OnPerson, list[Explained], dict[str, np.ndarray]]:
    """Occlusion maps of one part. `predictions`: one for each of `pictures`, in order.

    `mattes`: data/mattes/<task>, which says where the person is. `multiplications`: of the network,
    for a picture.

    Returns the summary of a random sample, the surest right answers followed by the surest
    mistakes, and the maps of these by id, grey uint8 (H, W).
    """
    n = len(predictions)
    if not n:
        return OnPerson(n=0, inside=None, inside_low=None, inside_high=None, area=None), [], {}
    rng = np.random.default_rng(SEED)
    each = max(multiplications, 1) * len(patches((pictures.shape[1], pictures.shape[2])))
    photos = BUDGET / each
    several = int(np.clip(0.7 * photos, LEAST, SAMPLE))
    few = int(np.clip(0.15 * photos, FEW, SHOWN))
    sample = np.sort(rng.choice(n, min(n, several), replace=False))
    right = np.array([each.label == each.predicted for each in predictions])
    shown = _surest(np.array([each.confidence for each in predictions]), right, few)
    rows = np.union1d(sample, shown)

    seen = pictures.read(rows)
    found = maps(
        model,
        seen,
        average(pictures.read(sample)),
        regression=regression,
        desc=f"what answers rest on, {predictions[0].part}",
    )
    alphas = [read_png(picture(mattes, predictions[row].id))[..., 3] for row in rows]
    persons = np.stack([person(alpha, seen.shape[1:3]) for alpha in alphas])
    shares, areas = inside(found, persons), persons.mean((1, 2))

    measured = np.isin(rows, sample) & ~np.isnan(shares)
    groups = np.array([predictions[row].group for row in rows])
    summary = _summary(shares[measured], areas[measured], groups[measured])
    place = {row: number for number, row in enumerate(rows)}
    table = [_explained(predictions[row], shares[place[row]], areas[place[row]]) for row in shown]
    return summary, table, {predictions[row].id: as_picture(found[place[row]]) for row in shown}


def _summary(shares: np.ndarray, areas: np.ndarray, groups: np.ndarray) -> OnPerson:
    if not len(shares):
        return OnPerson(n=0, inside=None, inside_low=None, inside_high=None, area=None)
    low, high = share_interval(shares, groups)
    return OnPerson(
        n=len(shares),
        inside=float(shares.mean()),
        inside_low=low,
        inside_high=high,
        area=float(areas.mean()),
    )


def _surest(confidence: np.ndarray, right: np.ndarray, few: int) -> np.ndarray:
    """Rows of the `few` surest right answers, then of as many surest wrong ones."""
    falling = np.argsort(-confidence, kind="stable")
    sorted_right = right[falling]
    return np.concatenate([falling[sorted_right][:few], falling[~sorted_right][:few]])


def _explained(answer: Prediction, share: float, area: float) -> Explained:
    return Explained(
        id=answer.id,
        part=answer.part,
        label=answer.label,
        predicted=answer.predicted,
        confidence=answer.confidence,
        inside=None if np.isnan(share) else float(share),
        area=float(area),
        kind="right" if answer.label == answer.predicted else "wrong",
    )
