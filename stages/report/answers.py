"""Pictures of answers: the surest mistakes, the surest right ones, and what each rests on."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stages.common.images import read_png
from stages.records.evaluation import MAPS, map_picture
from stages.records.folders import Folders, picture
from stages.records.predictions import Prediction
from stages.records.shards import Shards
from stages.report.pictures import data_uri, png

MISTAKES = 12  # shown of each exam
RIGHT = 8
SIDE = 128  # pixels
HEAT = np.array([255, 96, 16])  # RGB of what the answer rests on


@dataclass(frozen=True)
class Answer:
    prediction: Prediction
    picture: str  # the face crop, a `data:` URI
    map: str | None  # what the answer rests on, where `evaluate` drew it
    inside: float | None  # share of the map that lies on the person


@dataclass(frozen=True)
class Sheet:
    count: int  # answers of this kind
    pictures: list[Answer]  # the surest of them


@dataclass(frozen=True)
class Answers:
    wrong: Sheet
    right: Sheet


def answers(at: Folders, part: str, predictions: Sequence[Prediction]) -> Answers:
    """Pictures of the answers to the photos of `part`, the surest first."""
    asked = sorted((p for p in predictions if p.part == part), key=lambda p: -p.confidence)
    maps = _Maps(at, part)

    def sheet(rows: list[Prediction], most: int) -> Sheet:
        pictures = [
            Answer(
                prediction,
                picture=png(picture(at.faces, prediction.id), SIDE),
                map=maps.picture(prediction.id),
                inside=maps.inside.get(prediction.id),
            )
            for prediction in rows[:most]
        ]
        return Sheet(len(rows), pictures)

    return Answers(
        wrong=sheet([p for p in asked if p.label != p.predicted], MISTAKES),
        right=sheet([p for p in asked if p.label == p.predicted], RIGHT),
    )


class _Maps:
    """The occlusion maps of one part, over the pictures as the network saw them."""

    def __init__(self, at: Folders, part: str) -> None:
        self._folder = at.evaluate
        self.inside = {row.id: row.inside for row in MAPS.read(at.evaluate) if row.part == part}
        self._shards = Shards(at.shards / part)
        self._rows = {id: row for row, id in enumerate(self._shards.index()["id"])}

    def picture(self, id: str) -> str | None:
        if id not in self.inside:
            return None
        seen = self._shards.read(np.array([self._rows[id]]))[0]
        return data_uri(overlay(seen, read_png(map_picture(self._folder, id))), SIDE)


def overlay(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """`picture`, uint8 (H, W, 1 or 3), in grey, with `heat`, uint8 (h, w), glowing over it.

    uint8 (128, 128, 3).
    """
    grey = picture if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    size = (SIDE, SIDE)
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC)[..., None]
    share = cv2.resize(heat, size, interpolation=cv2.INTER_CUBIC)[..., None] / 255
    return (grey * (1 - 0.75 * share) + HEAT * 0.75 * share).round().astype(np.uint8)
