"""Haar cascade: needs no download, as OpenCV's wheel has it; finds boxes of frontal faces only.

Paul Viola and Michael Jones, "Rapid object detection using a boosted cascade of simple features",
CVPR 2001.
"""

from pathlib import Path

import cv2
import numpy as np
from cv2.typing import Rect

from stages.extract.face import Face
from stages.extract.shrink import shrink

SIDES = 480, 960  # pixels; the second size is tried where the first shows no face
MIN_SIDE = 0.12  # of the photo's shorter side: most smaller finds are no faces
# Degrees by which the photo is turned until a face is found, and how many overlapping finds make
# one face there. More would miss faces, fewer would invent some, and each turn is another chance
# to invent one.
TILTS = {0: 3, 20: 6, -20: 6}

# Where the eyes are in a box of side 1: medians over 1,178 portraits against YuNet's landmarks
# (standard deviation 0.02 each way; 0.03 for the distance)
EYES_X, EYES_Y, EYES_APART = 0.494, 0.377, 0.383


class Haar:
    name = "haar"

    def __init__(self, cascade: Path) -> None:
        """`cascade`: the XML file."""
        self._cascade = cv2.CascadeClassifier(str(cascade))

    def detect(self, image: np.ndarray) -> list[Face]:
        """`Face.score` is the number of overlapping finds; the eyes are estimated from the box."""
        for side in SIDES:
            small, scale = shrink(image, side)
            gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
            for tilt, finds in TILTS.items():
                if faces := self._tilted(gray, tilt, finds, scale):
                    return faces
            if scale == 1:
                break
        return []

    def _tilted(self, gray: np.ndarray, tilt: float, finds: int, scale: float) -> list[Face]:
        height, width = gray.shape
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1)
        least = round(MIN_SIDE * min(gray.shape))
        boxes, counts = self._cascade.detectMultiScale2(
            cv2.warpAffine(gray, turn, (width, height)) if tilt else gray,
            scaleFactor=1.1,
            minNeighbors=finds,
            minSize=(least, least),
        )
        back = cv2.invertAffineTransform(turn)
        return [_face(box, n, back, scale) for box, n in zip(boxes, counts, strict=True)]


def _face(box: Rect, count: int, back: np.ndarray, scale: float) -> Face:
    """`box`: in the photo, turned and shrunk. `back`: (2, 3), turns it back. `scale`: its size as
    a share of the photo's."""
    x, y, side = box[:3]
    half = EYES_APART / 2
    in_box = np.array([[EYES_X - half, EYES_Y], [EYES_X + half, EYES_Y], [0.5, 0.5]])
    *eyes, middle = ((x, y) + side * in_box) @ back[:, :2].T + back[:, 2]
    side /= scale
    left, top = middle / scale - side / 2
    return Face((left, top, side, side), float(count), np.array(eyes) / scale, None)
