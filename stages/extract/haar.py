"""Haar cascade: what works with nothing downloaded; boxes only, upright frontal faces only.

Paul Viola and Michael Jones, "Rapid object detection using a boosted cascade of simple features",
CVPR 2001; the cascade comes with OpenCV's wheel.
"""

from pathlib import Path

import cv2
import numpy as np

from stages.extract.face import Face
from stages.extract.shrink import shrink

CASCADE = "haarcascade_frontalface_alt2.xml"
SIDES = 480, 960  # pixels; the second only for small faces, where the first finds nothing
MIN_SIDE = 0.12  # of the photo's shorter side: most smaller finds are no faces
NEIGHBOURS = 3  # overlapping finds that make a face: more loses faces, fewer invents them

# Where the eyes are in a box of side 1: medians over 1,178 portraits against YuNet's landmarks
# (standard deviation 0.02 each way; 0.03 for the distance)
EYES_X, EYES_Y, EYES_APART = 0.494, 0.377, 0.383


class Haar:
    name = "haar"

    def __init__(self) -> None:
        self._cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / CASCADE))

    def detect(self, image: np.ndarray) -> list[Face]:
        """`Face.score` is the number of overlapping finds; the eyes are estimated from the box."""
        for side in SIDES:
            small, scale = shrink(image, side)
            gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
            least = round(MIN_SIDE * min(gray.shape))
            boxes, counts = self._cascade.detectMultiScale2(
                gray, scaleFactor=1.1, minNeighbors=NEIGHBOURS, minSize=(least, least)
            )
            if len(boxes):
                return [_face(b / scale, n) for b, n in zip(boxes, counts, strict=True)]
            if scale == 1:
                break
        return []


def _face(box: np.ndarray, count: int) -> Face:
    x, y, side = box[:3]
    half = np.array([EYES_APART * side / 2, 0])
    middle = np.array([x + EYES_X * side, y + EYES_Y * side])
    return Face(tuple(box), float(count), np.array([middle - half, middle + half]), None)
