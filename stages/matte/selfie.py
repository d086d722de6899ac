"""MediaPipe's selfie segmenter: a network of 0.1 million parameters.

https://ai.google.dev/edge/mediapipe/solutions/vision/image_segmenter. OpenCV runs its file, so that
MediaPipe itself is not needed.
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

SIDE = 256  # pixels of its square input, RGB from 0 to 1


class Selfie:
    """A `stages.matte.matte.Session`."""

    model_name = "selfie"

    def __init__(self, file: Path) -> None:
        """`file`: selfie_segmentation.tflite."""
        self._network = cv2.dnn.readNetFromTFLite(str(file))

    def predict(self, img: Image.Image) -> list[Image.Image]:
        image = np.asarray(img.convert("RGB"))
        method = cv2.INTER_AREA if min(image.shape[:2]) > SIDE else cv2.INTER_LINEAR
        small = cv2.resize(image, (SIDE, SIDE), interpolation=method)
        self._network.setInput(cv2.dnn.blobFromImage(small, 1 / 255))
        person = self._network.forward()[0, 0].clip(0, 1)  # the probability of a person
        alpha = cv2.resize(person, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return [Image.fromarray((alpha * 255).round().astype(np.uint8))]
