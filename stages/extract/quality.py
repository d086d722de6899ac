"""What may be wrong with a face: measured once, judged by limits that params.yaml can change."""

from collections.abc import Mapping

import cv2
import numpy as np

from stages.extract.crop import Geometry, transform
from stages.extract.face import Face
from stages.records.params import FaceQuality

MEASURES = ["sharpness", "turn", "tilt", "tint", "colours", "lightness"]
SKIN = 12, 16  # a and b of CIELAB, near the middle of all people's skin
SIDE = 96  # pixels to which what is looked at is brought, whatever the crop's size


def measure(crop: np.ndarray, face: Face, geometry: Geometry) -> dict[str, float | str]:
    """`MEASURES` of a (size, size, 3) `uint8` RGB crop; "" where the detector cannot tell.

    sharpness: variance of the Laplacian of the grey face (Pech-Pacheco et al., "Diatom
    autofocusing in brightfield microscopy", ICPR 2000). turn: how far the nose stands beside the
    middle of the eyes, in eye distances: 0 seen from the front, 0.5 below an eye. tilt: degrees
    that the line through the eyes was turned by. tint: how far the face's mean colour is from skin
    in daylight; colours: how far colours spread around the main range of hues (0: one hue only, as
    in a black and white picture), both in CIELAB units. lightness: median of the face, 0 to 100.
    """
    gray = cv2.cvtColor(_face_area(crop, geometry), cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    inner = _face_area(lab, Geometry(SIDE, geometry.face_width))
    hues = lab[..., 1:].reshape(-1, 2)
    across = np.linalg.eigvalsh(np.cov(hues.T))[0]
    (x0, y0), (x1, y1) = face.eyes
    turn = ""
    if face.landmarks is not None:
        matrix = transform(face, geometry)
        level = face.landmarks[:3] @ matrix[:, :2].T + matrix[:, 2]
        apart = max(np.hypot(*(level[1] - level[0])), 1e-6)
        turn = round(float(abs(level[2, 0] - level[:2, 0].mean()) / apart), 3)
    return {
        "sharpness": round(float(cv2.Laplacian(gray, cv2.CV_32F).var()), 2),
        "turn": turn,
        "tilt": round(float(np.degrees(np.arctan2(y1 - y0, x1 - x0))), 1),
        "tint": round(float(np.hypot(*(inner[..., 1:].mean(axis=(0, 1)) - SKIN))), 2),
        "colours": round(float(np.sqrt(max(across, 0))), 2),
        "lightness": round(float(np.median(inner[..., 0])), 1),
    }


def flags(row: Mapping, limits: FaceQuality) -> list[str]:
    """The names of what is wrong with a face, of its row in `faces.csv`."""
    wrong = {
        "blur": row["sharpness"] < limits.sharpness,
        "tiny": row["w"] < limits.width,
        "pose": abs(row["tilt"]) > limits.tilt or (row["turn"] or 0) > limits.turn,
        "tint": row["tint"] > limits.tint,
        "monochrome": row["colours"] < limits.colours,
        "dark": row["lightness"] < limits.dark,
        "bright": row["lightness"] > limits.bright,
        "several": row["faces"] > limits.faces,
    }
    return [name for name, found in wrong.items() if found]


def _face_area(picture: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Brows to mouth, cheek to cheek."""
    middle, width = geometry.eyes.mean(axis=0), geometry.size * geometry.face_width
    left, top = np.round(middle - (0.4 * width, 0.25 * width)).astype(int)
    right, bottom = np.round(middle + (0.4 * width, 0.65 * width)).astype(int)
    return np.ascontiguousarray(picture[max(top, 0) : bottom, max(left, 0) : right])
