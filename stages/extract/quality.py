"""What may be wrong with a face: measured once, judged by limits that params.yaml can change."""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from stages.extract.crop import Geometry, transform
from stages.extract.face import Face
from stages.records.faces import Point
from stages.records.record import Record

if TYPE_CHECKING:
    from stages.records.flags import FaceFlag
    from stages.records.params import FaceQuality

SKIN = 12, 16  # a and b of CIELAB, near the middle of all people's skin
SIDE = 96  # pixels: crops of any size are measured at this one


class Measures(Record):
    """A face as faces.csv describes it. The numbers are rounded here and nowhere else, so that a
    limit means the same in the table and in an answer."""

    score: float  # on the detector's own scale
    x: float  # the face's box, in the photo's pixels
    y: float
    w: float
    h: float
    landmarks: tuple[Point, ...] | None  # see `Face`; None: the detector finds none
    faces: int  # how many the photo shows
    # Variance of the Laplacian of the grey face (Pech-Pacheco et al., "Diatom autofocusing in
    # brightfield microscopy", ICPR 2000)
    sharpness: float
    # The nose's distance from the middle between the eyes, in eye distances: 0 seen from the
    # front, 0.5 where it is below an eye. None without landmarks
    turn: float | None
    tilt: float  # degrees from the line through the eyes to the horizontal
    tint: float  # distance from the face's mean colour to skin in daylight, in CIELAB units
    # How far colours spread across the main axis of hues, in CIELAB units: 0 where there is one
    # hue only, as in a black and white picture
    colours: float
    lightness: float  # median of the face, 0 to 100


def measure(crop: np.ndarray, face: Face, faces: int, geometry: Geometry) -> Measures:
    """Of a (size, size, 3) `uint8` RGB crop of `face`, one of `faces` in its photo."""
    gray = cv2.cvtColor(_face_area(crop, geometry), cv2.COLOR_RGB2GRAY)
    gray = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    small = cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    inner = _face_area(lab, Geometry(SIDE, geometry.face_width))
    hues = lab[..., 1:].reshape(-1, 2)
    across = np.linalg.eigvalsh(np.cov(hues.T))[0]
    (x0, y0), (x1, y1) = face.eyes
    x, y, w, h = (round(float(edge), 1) for edge in face.box)
    landmarks = turn = None
    if face.landmarks is not None:
        landmarks = tuple((round(float(x), 1), round(float(y), 1)) for x, y in face.landmarks)
        matrix = transform(face, geometry)
        level = face.landmarks[:3] @ matrix[:, :2].T + matrix[:, 2]
        apart = max(np.hypot(*(level[1] - level[0])), 1e-6)
        turn = round(float(abs(level[2, 0] - level[:2, 0].mean()) / apart), 3)
    return Measures(
        score=round(float(face.score), 4),
        x=x,
        y=y,
        w=w,
        h=h,
        landmarks=landmarks,
        faces=faces,
        sharpness=round(float(cv2.Laplacian(gray, cv2.CV_32F).var()), 2),
        turn=turn,
        tilt=round(float(np.degrees(np.arctan2(y1 - y0, x1 - x0))), 1),
        tint=round(float(np.hypot(*(inner[..., 1:].mean(axis=(0, 1)) - SKIN))), 2),
        colours=round(float(np.sqrt(max(across, 0))), 2),
        lightness=round(float(np.median(inner[..., 0])), 1),
    )


def flags(face: Measures, limits: "FaceQuality") -> tuple["FaceFlag", ...]:
    """What is wrong with a face."""
    wrong: dict[FaceFlag, bool] = {
        "blur": face.sharpness < limits.sharpness,
        "tiny": face.w < limits.width,
        "pose": abs(face.tilt) > limits.tilt or (face.turn or 0) > limits.turn,
        "tint": face.tint > limits.tint,
        "monochrome": face.colours < limits.colours,
        "dark": face.lightness < limits.dark,
        "bright": face.lightness > limits.bright,
        "several": face.faces > limits.faces,
    }
    return tuple(name for name, found in wrong.items() if found)


def _face_area(picture: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Brows to mouth, cheek to cheek."""
    middle, width = geometry.eyes.mean(axis=0), geometry.size * geometry.face_width
    left, top = np.round(middle - (0.4 * width, 0.25 * width)).astype(int)
    right, bottom = np.round(middle + (0.4 * width, 0.65 * width)).astype(int)
    return np.ascontiguousarray(picture[max(top, 0) : bottom, max(left, 0) : right])
