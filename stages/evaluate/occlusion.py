"""What an answer rests on: occlusion maps, made by covering one patch of the picture at a time.

Zeiler and Fergus 2014 (https://arxiv.org/abs/1311.2901) cover patches in grey. Our cut-outs have a
grey background, so a grey patch would find that the background never matters, whatever the network
does. A patch shows the average picture instead: that removes what is particular to this picture,
on the person and behind, and adds no edges of its own.
"""

from collections.abc import Callable

import cv2
import numpy as np

from stages.common.parallel import progress
from stages.networks.predict import Network, outputs
from stages.records.shards import InMemory

CELLS = 8  # a patch begins at each cell of a grid of 8 x 8
PATCH = 2  # a patch covers 2 x 2 cells


def average(pictures: np.ndarray) -> np.ndarray:
    """The mean picture, uint8 (H, W, C), of uint8 (N, H, W, C)."""
    return pictures.mean(0).round().astype(np.uint8)


def maps(
    model: Network, pictures: np.ndarray, cover: np.ndarray, *, regression: bool, desc: str
) -> np.ndarray:
    """How much each answer to `pictures`, uint8 (N, H, W, C), rests on each pixel.

    float32 (N, H, W), at least 0. Each map sums to 1, or to 0 if no patch changes the answer.

    A patch counts as much as the log odds of the answered class fall when `cover`, uint8 (H, W, C),
    replaces it (Robnik-Sikonja and Kononenko 2008, "weight of evidence"); in a `regression`, as
    much as the number changes.
    """
    windows = patches(cover.shape[:2])

    def answer(several: np.ndarray) -> np.ndarray:
        return outputs(model, InMemory(several)).raw

    found = [
        one_map(answer, picture, cover, windows, regression=regression)
        for picture in progress(pictures, desc=desc, total=len(pictures))
    ]
    return np.stack(found) if found else np.zeros((0, *cover.shape[:2]), np.float32)


def one_map(
    answer: Callable[[np.ndarray], np.ndarray],
    picture: np.ndarray,
    cover: np.ndarray,
    windows: np.ndarray,
    *,
    regression: bool,
) -> np.ndarray:
    """Of one picture, uint8 (H, W, C): a map as in `maps`, float32 (H, W).

    `answer`: pictures -> `Outputs.raw`; `windows`: `patches((H, W))`.
    """
    covered = np.where(windows[..., None], cover, picture)
    answers = answer(np.concatenate([picture[None], covered]))
    found = np.tensordot(_fall(answers, regression), windows, 1) / windows.sum(0)
    return (found / (found.sum() or 1)).astype(np.float32)


def patches(shape: tuple[int, int]) -> np.ndarray:
    """bool (P, H, W): the place of each patch. They overlap, and together cover all pixels."""
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


def _fall(answers: np.ndarray, regression: bool) -> np.ndarray:
    """float (P,): how much covering each patch weakens the answer.

    `answers`: (1 + P, K or 1), to the whole picture first.
    """
    if regression:
        return np.abs(answers[1:, 0] - answers[0, 0])
    if answers.shape[1] == 1:
        answers = np.hstack([1 - answers, answers])
    best = answers[0].argmax()
    others = np.delete(answers, best, axis=1).sum(1)
    smallest = np.finfo(np.float32).eps
    odds = np.log(np.maximum(answers[:, best], smallest)) - np.log(np.maximum(others, smallest))
    return np.maximum(odds[0] - odds[1:], 0)


def inside(maps: np.ndarray, persons: np.ndarray) -> np.ndarray:
    """float (N,): the share of each map that lies on the person; NaN where the map sums to 0.

    `persons`: float (N, H, W) in 0..1.
    """
    total = maps.sum((1, 2))
    return np.divide(
        (maps * persons).sum((1, 2)), total, np.full(len(maps), np.nan), where=total > 0
    )


def person(alpha: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A cut-out's alpha, uint8 (h, w), as float32 in 0..1 at the network's `shape` (H, W)."""
    return cv2.resize(alpha, shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def as_picture(map: np.ndarray) -> np.ndarray:
    """A map, float (H, W), as grey uint8 (H, W): 255 where it is highest."""
    highest = map.max()
    return (map * (255 / highest if highest > 0 else 0)).round().astype(np.uint8)
