"""Pictures small enough to live inside the page."""

import base64
from pathlib import Path

import cv2
import numpy as np

from stages.common.images import decode, read_png
from stages.records.faces import Crop

LOSSLESS = 101  # cv2's WebP quality above 100


def data_uri(picture: np.ndarray, side: int, quality: int = 80) -> str:
    """uint8 (H, W[, 1, 3 RGB or 4 RGBA]) -> a WebP `data:` URI, the longer side at most `side`."""
    scale = side / max(picture.shape[:2])
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    channels = picture.shape[2] if picture.ndim == 3 else 1
    if channels > 1:
        swap = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[channels]
        picture = cv2.cvtColor(picture, swap)
    data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
    return "data:image/webp;base64," + base64.b64encode(data.tobytes()).decode()


def network_input(picture: np.ndarray) -> str:
    """A network's input as it is: small ones lossless, so that each pixel can be seen."""
    return data_uri(picture, 200, LOSSLESS if max(picture.shape) <= 64 else 80)


def png(path: Path, side: int) -> str:
    return data_uri(read_png(path), side)


def photo_with_box(path: Path, crop: Crop, side: int) -> str:
    """The upright photo with the face's box drawn in."""
    picture = decode(path.read_bytes())
    scale = min(1, side / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y, w, h = (round(value * scale) for value in crop.box or (0, 0, 0, 0))
    for colour, width in (((20, 20, 20), 4), ((255, 255, 255), 2)):
        cv2.rectangle(small, (x, y), (x + w, y + h), colour, width, cv2.LINE_AA)
    return data_uri(small, side)
