"""What every detector returns, and which of several faces is taken."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Face:
    """A face in a photo. Positions are in pixels; the centre of the first pixel is 0, 0."""

    box: tuple[float, float, float, float]  # x, y, width, height
    score: float  # the detector's own scale
    eyes: np.ndarray  # (2, 2) float: x, y of the left and right eye as seen, perhaps estimated
    landmarks: np.ndarray | None  # (5, 2) float: eyes, nose tip, mouth corners, from left to right


class Detector(Protocol):
    name: str

    def detect(self, image: np.ndarray) -> list[Face]:
        """Faces in an (H, W, 3) `uint8` RGB photo; an empty list if there are none."""
        ...


def choose(faces: list[Face], which: str, shape: tuple[int, ...]) -> Face:
    """The `which` (largest, central) of the faces in a photo of `shape` (height, width, ...)."""
    if which == "largest":
        return max(faces, key=lambda face: face.box[2] * face.box[3])

    def off_centre(face: Face) -> float:
        x, y, width, height = face.box
        return np.hypot(x + width / 2 - shape[1] / 2, y + height / 2 - shape[0] / 2)

    return min(faces, key=off_centre)
