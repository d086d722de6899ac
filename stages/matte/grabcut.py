"""A session of our own: GrabCut for faces that are always in the same place of the picture.

It needs no weights, so it works where nothing can be downloaded. It starts from a map of where
people are in such a crop. For each pixel, two things say how likely it shows the person: histograms
of the colours on the person and elsewhere, and the colours of places that nearly always show skin,
clothes or background. A logistic regression, fitted on real portraits, weighs both
(`benchmarks/fit_grabcut.py`). From there, GrabCut (Carsten Rother et al., SIGGRAPH 2004) finds the
edge.
"""

import cv2
import numpy as np
from PIL import Image

SIDE = 96  # pixels that are worked on: the time goes with their number
ROUNDS = 4  # of refining the histograms; more change nothing
BINS = 16, 28, 28  # lightness, green-red, blue-yellow
SURE = 0.95  # from this probability on, GrabCut does not decide
# Of lightness and both colour axes in differences of colour
SCALE = np.array([25, 15, 15], np.float32)
# Of the columns of `evidence`, and the constant; fitted on the crops of 82 portraits
WEIGHTS = np.array([0.11, -0.174, 0.241, 0.805, -0.226, 0.25, 0.179, 0.232, -0.211])
CONSTANT = 0.257


class GrabCut:
    """A `stages.matte.matte.Session`."""

    model_name = "grabcut"

    def __init__(self, size: int, eyes: np.ndarray) -> None:
        """`size`: side of the crops in pixels; `eyes`: (2, 2) x, y of both eyes in them."""
        self._prior = prior(np.asarray(eyes) / size)

    def predict(self, img: Image.Image) -> list[Image.Image]:
        return [Image.fromarray(cut(np.asarray(img.convert("RGB")), self._prior))]


def prior(eyes: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) float: the probability that a place of a crop shows the person.

    `eyes`: (2, 2) x, y of both eyes as shares of the crop's side. An ellipse for head and hair and
    a funnel for neck and shoulders, fitted to the mean of 74 masks of real portraits.
    """
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE
    apart = np.hypot(*(eyes[1] - eyes[0]))
    u = np.abs(x - eyes[:, 0].mean()) / apart  # from the middle of the eyes, in eye distances
    v = (y - eyes[:, 1].mean()) / apart
    head = 8.16 * (1 - np.hypot(u / 1.40, (v + 0.213) / 1.837))
    shoulders = 0.601 * (v + 3.11 - 2.515 * u)
    return np.clip(1 / (1 + np.exp(-np.logaddexp(head, shoulders))), 0.01, 0.99)


def cut(image: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(H, W, 3) `uint8` RGB -> (H, W) `uint8` alpha, soft at its edge."""
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    person = 1 / (1 + np.exp(-evidence(small, prior) @ WEIGHTS - CONSTANT))
    mask = find_edge(small, person)
    alpha = cv2.GaussianBlur(mask * np.uint8(255), (0, 0), 0.7)
    return cv2.resize(alpha, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def find_edge(small: np.ndarray, person: np.ndarray) -> np.ndarray:
    """(H, W, 3) `uint8` and (H, W) probabilities -> (H, W) `uint8`, 1 where GrabCut sees a person.

    The mask depends on the picture only, not on what was cut out before.
    """
    person = cv2.GaussianBlur(person, (0, 0), 1)
    mask = np.where(person > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[person > SURE] = cv2.GC_FGD
    mask[person < 1 - SURE] = cv2.GC_BGD
    if len(np.unique(mask % 2)) == 2:  # the odd values are foreground; GrabCut needs some of both
        cv2.setRNGSeed(0)  # its k-means starts from OpenCV's own random numbers
        # OpenCV's stub knows no None, which asks for models of its own
        cv2.grabCut(small, mask, None, None, None, 2, cv2.GC_INIT_WITH_MASK)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return mask % 2


def evidence(small: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3) `uint8` RGB -> (SIDE, SIDE, 9): what speaks for a person in each pixel.

    First the prior's log odds. Then how much more often colours are on the person than elsewhere:
    the pixel's own, and those around it, near and far. Last, how far the colour is from those of
    the skin, of the nearer and the farther side of the picture, of its top and of the clothes.
    """
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    ratio = _colour_ratio(lab, prior)
    y, x = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE
    left = (x < 0.08) & (y < 0.6)
    places = {
        "skin": np.exp(-(((x - 0.5) / 0.12) ** 2) - ((y - 0.56) / 0.1) ** 2),
        "left": left,
        "right": left[:, ::-1],
        "top": y < 0.06,
        "clothes": (y > 0.92) & (np.abs(x - 0.5) < 0.25),
    }
    skin, left, right, top, clothes = (_distance(lab, place) for place in places.values())
    near, far = np.where(x < 0.5, (left, right), (right, left))
    around = (cv2.GaussianBlur(ratio, (0, 0), sigma) for sigma in (2, 6))
    odds = np.log(prior / (1 - prior))
    return np.dstack([odds, ratio, *around, skin, near, far, top, clothes])


def _distance(lab: np.ndarray, where: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE): how many standard deviations each colour is from the mean of a place."""
    scaled = lab / SCALE
    weight = (where / where.sum())[..., None]
    mean = (scaled * weight).sum(axis=(0, 1))
    variance = ((scaled - mean) ** 2 * weight).sum(axis=(0, 1)) + 0.05
    return np.sqrt(((scaled - mean) ** 2 / variance).sum(axis=-1)).clip(0, 8)


def _colour_ratio(lab: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE): log of how much more often a colour is on the person than elsewhere.

    Where the person is, says `prior` at first, and then the colours, better with each round.
    """
    share = lab / (100, 214, 214) + (0, 0.5, 0.5)  # 1.2 times the range of 8-bit sRGB's a and b
    index = np.clip((share * BINS).astype(int), 0, np.array(BINS) - 1)
    index = np.asarray(np.ravel_multi_index(tuple(np.moveaxis(index, -1, 0)), BINS))
    odds = np.log(prior / (1 - prior))
    person = prior
    for _ in range(ROUNDS):
        ratio = np.log(_histogram(index, person) / _histogram(index, 1 - person))[index]
        person = 1 / (1 + np.exp(-odds - ratio))
        person = np.clip(cv2.GaussianBlur(person, (0, 0), 1), 0.01, 0.99)
    return np.log(_histogram(index, person) / _histogram(index, 1 - person))[index]


def _histogram(index: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Flat frequencies of the colours, spread a little to their neighbours; none is zero."""
    counts = np.bincount(index.ravel(), weight.ravel(), np.prod(BINS)).reshape(BINS)
    for axis in range(3):
        counts = (np.roll(counts, 1, axis) + 2 * counts + np.roll(counts, -1, axis)) / 4
    return (counts / counts.sum() + 0.2 / counts.size).ravel()
