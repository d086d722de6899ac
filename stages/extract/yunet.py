"""YuNet: a small network that gives boxes, scores and five landmarks.

https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet
"""

from pathlib import Path

import cv2
import numpy as np

from stages.extract.face import Face
from stages.extract.shrink import shrink

LEAST = 33  # pixels; see `_widened`
SIDES = 640, 1600  # pixels; the second size is tried where the first shows no face


class YuNet:
    name = "yunet"

    def __init__(self, weights: Path, min_score: float) -> None:
        """`weights`: the ONNX file. `min_score`: the least confidence of a face, 0 to 1."""
        self._network = cv2.FaceDetectorYN.create(str(weights), "", (320, 320), min_score)

    def detect(self, image: np.ndarray) -> list[Face]:
        for side in SIDES:
            small, scale = shrink(image, side)
            seen = cv2.cvtColor(_widened(small), cv2.COLOR_RGB2BGR)
            self._network.setInputSize(seen.shape[1::-1])
            found = self._network.detect(seen)[1]
            rows = () if found is None else found.astype(float)
            if faces := [_face(row, scale) for row in rows if _is_in(row, small.shape)]:
                return faces
            if scale == 1:
                break
        return []


def _widened(image: np.ndarray) -> np.ndarray:
    """With a black border, as OpenCV adds one, so that each side has `LEAST` pixels. With less, the
    network reads memory that nobody has written, and sees faces where there are none."""
    height, width = image.shape[:2]
    border = 0, max(0, LEAST - height), 0, max(0, LEAST - width)
    return cv2.copyMakeBorder(image, *border, cv2.BORDER_CONSTANT)


def _is_in(row: np.ndarray, shape: tuple[int, ...]) -> bool:
    x, y, width, height = row[:4]
    seen = width > 0 and height > 0 and -width < x < shape[1] and -height < y < shape[0]
    return seen and bool(np.isfinite(row).all())


def _face(row: np.ndarray, scale: float) -> Face:
    """`row`: box, landmarks and score in a photo whose size is `scale` of the original's."""
    x, y, width, height = row[:4] / scale
    landmarks = row[4:14].reshape(5, 2) / scale
    return Face((x, y, width, height), row[14], landmarks[:2], landmarks)
