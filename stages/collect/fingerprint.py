"""Copies of a picture of which nothing is kept but a fingerprint: 255 signs.

`split` aligns two pictures and compares their details. That takes both of them, and a forgotten
picture must not be kept. A fingerprint shows nobody: it has the signs of the lowest frequencies
of the picture's inner part, as a perceptual hash has (`stages.collect.phash`), but more of them. A
candidate is laid over it in every way that a copy may have been made: mirrored, cropped, framed,
turned. `python -m benchmarks.forgotten_copies` measures how often that is right.
"""

from itertools import product

import cv2
import numpy as np

INNER = 0.8  # share of the width and height that counts: a crop may have lost the rest
SIDE = 32  # pixels to which this part is shrunk
LOWEST = 16  # frequencies each way
LIKE = 0.88  # copies have 0.9 and more; other people's photos up to 0.75, drawn ones 0.85
HOPEFUL = 0.48  # of the 8 x 8 lowest frequencies: at less, the search does not go on
BEST = 3  # places where it goes on
LARGE = 160  # pixels: the longer side of the picture in which it searches

SIDES = (0.6, 0.68, 0.77, 0.87, 0.97)  # of the windows where it begins, as shares of the picture's
ROW, COLUMN = np.divmod(np.arange(1, LOWEST**2), LOWEST)  # all but the mean brightness
COARSE = (ROW < 8) & (COLUMN < 8)


# A window is a part of a picture: x and y of its middle, width and height (all as shares of the
# picture's), and the degrees by which it is turned.
WHOLE = np.array([0.5, 0.5, INNER, INNER, 0])
START = [  # of the search: windows, and whether the picture is mirrored
    (np.array([side / 2 + x * (1 - side), side / 2 + y * (1 - side), side, side, turn]), mirrored)
    for side, turn, mirrored in product(SIDES, (-4, 0, 4), (False, True))
    for x, y in product((0, 0.5, 1), (0, 0.5, 1))
]
STEPS = np.diag([0.05, 0.05, 0.06, 0.06, 2])


def fingerprint(image: np.ndarray) -> str:
    """(H, W, 3) `uint8` RGB -> 255 signs and a 0 as 64 hexadecimal digits."""
    signs = _frequencies(_grey(image), WHOLE, False) > 0
    return np.packbits(signs).tobytes().hex()


def signs(fingerprint: str) -> np.ndarray:
    """(255,) `float32`, 1 or -1."""
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(fingerprint), np.uint8))
    return np.where(bits[: len(ROW)], 1, -1).astype(np.float32)


def copies(image: np.ndarray, known: np.ndarray) -> bool:
    """Whether (H, W, 3) `uint8` RGB is a copy of one of the pictures whose (n, 255) signs are
    `known`. It takes about 15 ms, and 10 ms for each picture that looks alike from afar."""
    grey = _grey(image)
    found = np.array([_frequencies(grey, window, mirrored) for window, mirrored in START])
    afar = _likeness(found[:, COARSE], known[:, COARSE])  # (windows, n)
    for column in np.flatnonzero(afar.max(0) >= HOPEFUL):
        for start in np.argsort(-afar[:, column], kind="stable")[:BEST]:
            window, mirrored = START[int(start)]
            if _climb(grey, window, mirrored, known[column]) >= LIKE:
                return True
    return False


def _climb(grey: np.ndarray, window: np.ndarray, mirrored: bool, known: np.ndarray) -> float:
    """The likeness to `known` that small moves of `window` lead to."""
    best = float(_likeness(_frequencies(grey, window, mirrored), known[None])[0])
    share = 1.0
    while best < LIKE and share > 0.08:
        before = best
        for step in (*STEPS, *-STEPS):
            moved = window + share * step
            if _inside(moved):
                like = float(_likeness(_frequencies(grey, moved, mirrored), known[None])[0])
                if like > best:
                    best, window = like, moved
        if best == before:
            share /= 2
    return best


def _inside(window: np.ndarray) -> bool:
    middle, size, turn = window[:2], window[2:4], window[4]
    near = (size / 2 - 0.03 <= middle) & (middle <= 1.03 - size / 2)
    return bool(near.all() and size.min() >= 0.5 and abs(turn) <= 8)


def _likeness(frequencies: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How far, -1 to 1, (..., f) frequencies have (n, f) signs: (..., n). Weak ones count less."""
    middle = np.median(np.abs(frequencies), axis=-1, keepdims=True) + 1e-6
    weights = np.clip(frequencies / middle, -1, 1)
    return weights @ known.T / np.maximum(np.abs(weights).sum(-1), 1e-6)[..., None]


def _grey(image: np.ndarray) -> np.ndarray:
    """`float32`, the longer side `LARGE`, without details that `SIDE` pixels cannot show."""
    height, width = image.shape[:2]
    share = LARGE / max(height, width)
    size = max(round(width * share), SIDE), max(round(height * share), SIDE)
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    return cv2.GaussianBlur(grey.astype(np.float32), (0, 0), LARGE / SIDE / 2.5)


def _frequencies(grey: np.ndarray, window: np.ndarray, mirrored: bool) -> np.ndarray:
    """(255,) `float32`: the lowest frequencies of a part of the picture, weighted by frequency."""
    size = np.array(grey.shape[::-1])
    across, down = window[2:4] * size / SIDE * (-1 if mirrored else 1, 1)
    sin, cos = np.sin(np.radians(window[4])), np.cos(np.radians(window[4]))
    matrix = np.array([[cos * across, -sin * down], [sin * across, cos * down]])
    shift = window[:2] * size - 0.5 - matrix @ np.full(2, (SIDE - 1) / 2)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack([matrix, shift])
    part = cv2.warpAffine(grey, matrix, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.dct(part)[ROW, COLUMN] * np.hypot(ROW, COLUMN).astype(np.float32)
