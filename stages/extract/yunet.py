"""YuNet: a small network that gives boxes, scores and five landmarks.

https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet
"""

from pathlib import Path

import cv2
import numpy as np

from stages.extract.face import Face
from stages.extract.shrink import shrink

SIDES = 640, 1600  # pixels; the second size is tried where the first shows no face


class YuNet:
    name = "yunet"

    def __init__(self, weights: Path, min_score: float) -> None:
        """`weights`: the ONNX file. `min_score`: the least confidence of a face, 0 to 1."""
        self._network = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), min_score)

    def detect(self, image: np.ndarray) -> list[Face]:
        for side in SIDES:
            small, scale = shrink(image, side)
            self._network.setInputSize(small.shape[1::-1])
            found = self._network.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))[1]
            rows = () if found is None else found.astype(float)
            if faces := [_face(row, scale) for row in rows if _is_in(row, small.shape)]:
                return faces
            if scale == 1:
                break
        return []


def _is_in(row: np.ndarray, shape: tuple[int, ...]) -> bool:
    """In pictures of about 32 pixels' height the network sees faces at infinity."""
    x, y, width, height = row[:4]
    seen = width > 0 and height > 0 and -width < x < shape[1] and -height < y < shape[0]
    return seen and bool(np.isfinite(row).all())


def _face(row: np.ndarray, scale: float) -> Face:
    """`row`: box, landmarks and score in a photo whose size is `scale` of the original's."""
    x, y, width, height = row[:4] / scale
    landmarks = row[4:14].reshape(5, 2) / scale
    return Face((x, y, width, height), row[14], landmarks[:2], landmarks)
