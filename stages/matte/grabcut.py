"""Our own rembg session: GrabCut for a face that always stands in the same place.

A map of where people are in such a crop comes first; histograms of the colours there and elsewhere
sharpen it, and GrabCut (Carsten Rother et al., SIGGRAPH 2004) starts from the result. Starting from
drawn shapes instead loses dark hair before a dark wall. Needs no weights, so it runs where nothing
can be downloaded.
"""

import cv2
import numpy as np
from PIL import Image
from rembg.sessions.base import BaseSession

SIDE = 96  # pixels that are worked on: the time goes with their number
ROUNDS = 4  # of the histograms; more change nothing
BINS = 12, 19, 19  # lightness, green-red, blue-yellow
SURE = 0.97  # probability from which GrabCut may not overrule


class GrabCut(BaseSession):
    """What `rembg.remove(..., session=GrabCut(...))` cuts out with."""

    def __init__(self, size: int, eyes: np.ndarray) -> None:
        """`size`: side of the crops in pixels; `eyes`: (2, 2) x, y of both eyes in them."""
        self.model_name = self.name()
        self._prior = prior(np.asarray(eyes) / size)

    def predict(self, img: Image.Image, *args: object, **kwargs: object) -> list[Image.Image]:
        return [Image.fromarray(cut(np.asarray(img.convert("RGB")), self._prior))]

    @classmethod
    def name(cls, *args: object, **kwargs: object) -> str:
        return "grabcut"


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
    person = _sharpen(small, prior)
    mask = np.where(person > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[person > SURE] = cv2.GC_FGD
    mask[person < 1 - SURE] = cv2.GC_BGD
    if len(np.unique(mask % 2)) == 2:  # the odd values are foreground; GrabCut needs some of both
        cv2.setRNGSeed(0)  # its k-means starts from OpenCV's own random numbers
        cv2.grabCut(small, mask, None, None, None, 1, cv2.GC_INIT_WITH_MASK)
    alpha = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8) * 255
    alpha = cv2.GaussianBlur(alpha, (0, 0), 0.7)
    return cv2.resize(alpha, image.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def _sharpen(small: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """`prior` times how much more often each pixel's colour stands on the person than elsewhere."""
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    share = lab / (100, 214, 214) + (0, 0.5, 0.5)  # 1.2 times the range of 8-bit sRGB's a and b
    index = np.clip((share * BINS).astype(int), 0, np.array(BINS) - 1)
    index = np.ravel_multi_index(tuple(np.moveaxis(index, -1, 0)), BINS)
    logit = np.log(prior / (1 - prior))
    person = prior
    for _ in range(ROUNDS):
        ratio = np.log(_histogram(index, person) / _histogram(index, 1 - person))
        person = 1 / (1 + np.exp(-logit - ratio[index]))
        person = np.clip(cv2.GaussianBlur(person, (0, 0), 1), 0.01, 0.99)
    return person


def _histogram(index: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Flat frequencies of the colours, spread a little to their neighbours; none is zero."""
    counts = np.bincount(index.ravel(), weight.ravel(), np.prod(BINS)).reshape(BINS)
    for axis in range(3):
        counts = (np.roll(counts, 1, axis) + 2 * counts + np.roll(counts, -1, axis)) / 4
    return (counts / counts.sum() + 0.2 / counts.size).ravel()
