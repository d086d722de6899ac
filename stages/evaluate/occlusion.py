"""What an answer rests on, by covering a patch of the picture at a time.

Zeiler and Fergus 2014 (https://arxiv.org/abs/1311.2901) cover patches in grey. On cut-outs before a
grey background that would find that the background never matters, whatever the network does. So a
patch shows what is there on the average picture instead: it takes away what is particular to this
one, be it of the person or of what lies behind, and adds no edges of its own.
"""

from typing import TYPE_CHECKING

import cv2
import numpy as np

from stages.common.parallel import progress

if TYPE_CHECKING:
    import keras

CELLS = 8  # patches begin at each cell of a grid of 8 x 8, ...
PATCH = 2  # ... and cover 2 x 2 of them


def average(pictures: np.ndarray) -> np.ndarray:
    """What covers a patch: the mean of uint8 (N, H, W, C), uint8 (H, W, C)."""
    return pictures.mean(0).round().astype(np.uint8)


def maps(
    model: "keras.Model", pictures: np.ndarray, cover: np.ndarray, *, regression: bool, desc: str
) -> np.ndarray:
    """Of each of `pictures`, uint8 (N, H, W, C), how much its answer rests on each pixel: float32
    (N, H, W), at least 0, sum 1; or 0 everywhere where nothing matters.

    A patch matters by as much as the log odds of the answered class fall when `cover`, uint8
    (H, W, C), is shown there instead (Robnik-Sikonja and Kononenko 2008, "weight of evidence");
    in a `regression`, by as much as the number changes.
    """
    windows = patches(cover.shape[:2])
    over_pixel = windows.sum(0)
    found = np.zeros((len(pictures), *cover.shape[:2]), np.float32)
    for map, picture in zip(found, progress(pictures, desc=desc, total=len(pictures)), strict=True):
        covered = np.where(windows[..., None], cover, picture)
        said = np.asarray(model.predict_on_batch(np.concatenate([picture[None], covered])))
        map[:] = np.tensordot(_fall(said, regression), windows, 1) / over_pixel
        map /= map.sum() or 1
    return found


def patches(shape: tuple[int, int]) -> np.ndarray:
    """bool (P, H, W): where each of the overlapping patches lies. Together they cover all."""
    edges = [np.linspace(0, length, CELLS + 1).round().astype(int) for length in shape]
    found = []
    for top in range(1 - PATCH, CELLS):
        for left in range(1 - PATCH, CELLS):
            window = np.zeros(shape, bool)
            rows, columns = (
                slice(edge[max(first, 0)], edge[min(first + PATCH, CELLS)])
                for edge, first in zip(edges, (top, left), strict=True)
            )
            window[rows, columns] = True
            found.append(window)
    return np.stack(found)


def _fall(said: np.ndarray, regression: bool) -> np.ndarray:
    """float (P,): what each patch takes away. `said`: (1 + P, K or 1), of the whole picture
    first."""
    if regression:
        return np.abs(said[1:, 0] - said[0, 0])
    if said.shape[1] == 1:
        said = np.hstack([1 - said, said])
    answer = said[0].argmax()
    others = np.delete(said, answer, axis=1).sum(1)
    smallest = np.finfo(np.float32).eps
    odds = np.log(np.maximum(said[:, answer], smallest)) - np.log(np.maximum(others, smallest))
    return np.maximum(odds[0] - odds[1:], 0)


def inside(maps: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """float (N,): the share of each map that lies on the person. `persons`: float (N, H, W) in
    0..1. NaN where the map is 0 everywhere."""
    total = maps.sum((1, 2))
    return np.divide(
        (maps * persons).sum((1, 2)), total, np.full(len(maps), np.nan), where=total > 0
    )


def person(alpha: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A cut-out's alpha, uint8 (h, w), as float32 (H, W) in 0..1, the network's size."""
    return cv2.resize(alpha, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def as_picture(map: np.ndarray) -> np.ndarray:
    """A map, float (H, W), as grey uint8 (H, W): 255 where it is highest."""
    highest = map.max()
    return (map * (255 / highest if highest > 0 else 0)).round().astype(np.uint8)
