"""The transform of Keras' ImageDataGenerator: parameters drawn by key, one matrix a picture."""

from dataclasses import dataclass

import numpy as np

COLUMNS = ("rotation", "shift_x", "shift_y", "shear", "zoom_x", "zoom_y", "flip")


@dataclass(frozen=True)
class Spread:
    """How far copies differ from their photo, at most, to either side."""

    rotation: float  # degrees
    shift: float  # share of the side
    shear: float  # degrees
    zoom: float  # share of the size
    flip: bool  # whether half of the copies are mirrored
    seed: int


def draw(photo_id: str, copies: int, spread: Spread) -> np.ndarray:
    """The transforms of one photo's copies, float64 (copies, 7) in the order of `COLUMNS`.

    Copy 0 is the identity. The others are drawn uniformly; flip is 0 or 1. The key of the
    generator is the seed and the photo's id (16 hexadecimal digits). So a copy stays the same with
    other photos or more copies, and in whatever process it is drawn.
    """
    key = np.array([spread.seed % 2**64, int(photo_id, 16)], np.uint64)
    uniform = np.random.Generator(np.random.Philox(key=key)).random((copies, len(COLUMNS)))
    most = [spread.rotation, spread.shift, spread.shift, spread.shear, spread.zoom, spread.zoom]
    transforms = np.empty_like(uniform)
    transforms[:, :6] = (2 * uniform[:, :6] - 1) * most + [0, 0, 0, 0, 1, 1]
    transforms[:, 6] = spread.flip & (uniform[:, 6] < 0.5)
    transforms[0] = [0, 0, 0, 0, 1, 1, 0]
    return transforms


def matrices(transforms: np.ndarray, size: int) -> np.ndarray:
    """(n, 7) transforms -> (n, 2, 3) matrices from a pixel (x, y) of the result to the source's.

    As `apply_transform` of keras.src.legacy.preprocessing.image: rotation, shift, shear, zoom about
    the middle of a square picture (pixel centres at whole numbers), and then the flip.
    """
    rotation, shift_x, shift_y, shear, zoom_x, zoom_y, flip = transforms.T
    turn, lean = np.deg2rad(rotation), np.deg2rad(rotation + shear)
    zoom_x = zoom_x * (1 - 2 * flip)
    result = np.empty((len(transforms), 2, 3))
    result[:, 0, 0], result[:, 0, 1] = zoom_x * np.cos(turn), -zoom_y * np.sin(lean)
    result[:, 1, 0], result[:, 1, 1] = zoom_x * np.sin(turn), zoom_y * np.cos(lean)
    middle = (size - 1) / 2
    shift_x, shift_y = (
        size * (np.cos(turn) * shift_x - np.sin(turn) * shift_y),
        size * (np.sin(turn) * shift_x + np.cos(turn) * shift_y),
    )
    result[:, 0, 2] = middle + shift_x - middle * result[:, 0, :2].sum(1)
    result[:, 1, 2] = middle + shift_y - middle * result[:, 1, :2].sum(1)
    return result
