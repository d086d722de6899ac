"""Pictures of answers: the surest mistakes, the surest right ones, and what each rests on."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from stages.common.images import read_png
from stages.common.tables import read_table
from stages.records.shards import Shards
from stages.report.pictures import data_uri, png

MISTAKES = 12  # shown of each exam
RIGHT = 8
SIDE = 128  # pixels
HEAT = np.array([255, 96, 16])  # RGB of what the answer rests on


def answers(
    data: Path, task: str, part: str, predictions: pd.DataFrame
) -> dict[str, dict[str, Any]]:
    """`wrong` and `right`: the count of such answers in `part`, and the pictures of the surest,
    each with the map of what the answer rests on where `evaluate` drew one."""
    asked = predictions[predictions["part"] == part].sort_values(
        "confidence", ascending=False, kind="stable"
    )
    right = asked["label"] == asked["predicted"]
    explained = _Explained(data, task, part)
    crops = data / "faces" / task / "images"

    def sheet(rows: pd.DataFrame, most: int) -> dict[str, Any]:
        pictures = [
            {
                "picture": png(crops / f"{row['id']}.png", SIDE),
                "map": explained.picture(row["id"]),
                "inside": explained.inside(row["id"]),
                **{key: row[key] for key in ("label", "predicted", "confidence", "answer")},
                "value": row["value"],
                "predicted_value": row["predicted_value"],
            }
            for row in rows[:most].to_dict("records")
        ]
        return {"count": len(rows), "pictures": pictures}

    return {"wrong": sheet(asked[~right], MISTAKES), "right": sheet(asked[right], RIGHT)}


class _Explained:
    """The maps of one part, over the pictures as the network saw them."""

    def __init__(self, data: Path, task: str, part: str) -> None:
        self._folder = data / "evaluate" / task / "explanations"
        maps = read_table(self._folder / "maps.csv")
        self._inside = maps[maps["part"] == part].set_index("id")["inside"].to_dict()
        self._shards = Shards(data / "shards" / task / part)
        self._rows = {id: row for row, id in enumerate(self._shards.index()["id"])}

    def inside(self, id: str) -> float | None:
        share = self._inside.get(id, "")
        return float(share) if share else None

    def picture(self, id: str) -> str | None:
        if id not in self._inside:
            return None
        seen = self._shards.read(np.array([self._rows[id]]))[0]
        return data_uri(overlay(seen, read_png(self._folder / f"{id}.png")), SIDE)


def overlay(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """`picture`, uint8 (H, W, 1 or 3), in grey, with `heat`, uint8 (h, w), glowing over it:
    uint8 (128, 128, 3)."""
    grey = picture if picture.shape[2] == 1 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    size = (SIDE, SIDE)
    grey = cv2.resize(grey, size, interpolation=cv2.INTER_CUBIC)[..., None]
    share = cv2.resize(heat, size, interpolation=cv2.INTER_CUBIC)[..., None] / 255
    return (grey * (1 - 0.75 * share) + HEAT * 0.75 * share).round().astype(np.uint8)
