"""The transform of Keras' ImageDataGenerator: parameters drawn by key, one matrix a picture."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # the worker processes import this module and need no pydantic
    from stages.records.params import Augment

COLUMNS = ("rotation", "shift_x", "shift_y", "shear", "zoom_x", "zoom_y", "flip")


def draw(photo_id: str, copies: int, params: "Augment") -> np.ndarray:
    """The transforms of one photo's copies, float64 (copies, 7) in the order of `COLUMNS`.

    Copy 0 is the identity. The others are uniform: rotation and shear in degrees, shifts as shares
    of the side, both zooms for themselves, flip 0 or 1. The generator is keyed by the seed and the
    photo's id (16 hex digits), so neither other photos, nor more copies, nor the process that
    draws them, change a copy.
    """
    key = np.array([params.seed % 2**64, int(photo_id, 16)], np.uint64)
    uniform = np.random.Generator(np.random.Philox(key=key)).random((copies, len(COLUMNS)))
    spread = [params.rotation, params.shift, params.shift, params.shear, params.zoom, params.zoom]
    transforms = np.empty_like(uniform)
    transforms[:, :6] = (2 * uniform[:, :6] - 1) * spread + [0, 0, 0, 0, 1, 1]
    transforms[:, 6] = params.flip & (uniform[:, 6] < 0.5)
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
