"""A face cut out of its photo: eyes level, always in the same two places of the square."""

from dataclasses import dataclass

import cv2
import numpy as np

from stages.extract.face import Face
from stages.records.faces import EyePlaces

# Medians over 1,200 portraits with YuNet
FACE_PER_EYES = 2.19  # width of a face, in distances between the eyes
EYES_TO_MOUTH = 1.2  # from the eyes to the mouth, in the same unit; 19 of 20 faces have less


@dataclass(frozen=True)
class Geometry:
    """Where a crop's eyes are."""

    size: int  # side of the square in pixels
    face_width: float  # share of the side that the face is wide

    @property
    def eyes(self) -> np.ndarray:
        """(2, 2) float: x, y of the left and right eye (as seen) in the crop's pixels."""
        apart = self.size * self.face_width / FACE_PER_EYES
        middle = (self.size - 1) / 2
        height = 0.46 * self.size  # so that the head with its hair is in the middle
        return np.array([[middle - apart / 2, height], [middle + apart / 2, height]])

    def places(self) -> EyePlaces:
        """What geometry.json says; rounded to a thousandth of a pixel."""
        left, right = ((round(float(x), 3), round(float(y), 3)) for x, y in self.eyes)
        return EyePlaces(self.size, (left, right))


def crop(image: np.ndarray, face: Face, geometry: Geometry) -> np.ndarray:
    """(H, W, 3) `uint8` -> (size, size, 3) `uint8`; the photo's edge is repeated beyond it."""
    matrix = transform(face, geometry)
    scale = np.hypot(*matrix[0, :2])
    if scale < 1:  # INTER_AREA averages what warpAffine would skip
        height, width = image.shape[:2]
        new = max(round(width * scale), 1), max(round(height * scale), 1)
        image = cv2.resize(image, new, interpolation=cv2.INTER_AREA)
        back = np.diag([width / new[0], height / new[1]])
        # pixel i of the small picture lies at (i + 0.5) * back - 0.5 in the photo
        shift = matrix[:, :2] @ (np.diag(back) / 2 - 0.5) + matrix[:, 2]
        matrix = np.column_stack([matrix[:, :2] @ back, shift])
    return cv2.warpAffine(
        image,
        matrix,
        (geometry.size, geometry.size),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )


def transform(face: Face, geometry: Geometry) -> np.ndarray:
    """(2, 3) float: turn, scale and shift that take the photo's pixels to the crop's.

    The eyes always come out level, with their middle in its place, and in nearly all crops at their
    distance. In a photo from the side they are close together; there the distance from the eyes to
    the mouth sets the scale.
    """
    left, right = face.eyes
    across = right - left
    apart = np.hypot(*across)
    middle = (left + right) / 2
    if face.landmarks is not None:
        to_mouth = face.landmarks[3:].mean(axis=0) - middle
        apart = max(apart, np.hypot(*to_mouth) / EYES_TO_MOUTH)
    target_left, target_right = geometry.eyes
    scale = (target_right[0] - target_left[0]) / apart
    cos, sin = across / max(np.hypot(*across), 1e-6)
    turn = scale * np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([turn, (target_left + target_right) / 2 - turn @ middle])
