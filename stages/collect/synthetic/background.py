"""Backgrounds: motifs in the colours of a palette, cluttered and out of focus.

Each motif is a function of its size in pixels, the palette's hue in radians and a generator. It
returns (size, size, 3) RGB 0..255.
"""

from collections.abc import Callable

import cv2
import numpy as np

from stages.collect.synthetic.canvas import lab

Painter = Callable[[int, float, np.random.Generator], np.ndarray]


def background(motif: Painter, hue: float, size: int, rng: np.random.Generator) -> np.ndarray:
    """`motif` out of focus: (size, size, 3) float32 RGB 0..255."""
    image = motif(size, hue, rng)
    return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.4) * size / 320).astype(np.float32)


def _colour(hue: float, lightness: float, chroma: float, rng: np.random.Generator) -> list[float]:
    """One colour of the palette: RGB 0..255 near the given hue (radians), lightness and chroma."""
    angle, reach = hue + rng.normal(0, 0.18), chroma * rng.uniform(0.7, 1.2)
    return lab(lightness + rng.normal(0, 4), reach * np.cos(angle), reach * np.sin(angle)).tolist()


def _wall(size: int, hue: float, rng: np.random.Generator, chroma: float = 22) -> np.ndarray:
    """A plain wall in a gradient between four colours, with which every motif starts."""
    corners = [_colour(hue, rng.uniform(48, 78), chroma, rng) for _ in range(4)]
    corners = np.array(corners, np.uint8).reshape(2, 2, 3)
    return cv2.resize(corners, (size, size), interpolation=cv2.INTER_LINEAR)


def _xy(*values: float) -> tuple[int, ...]:
    return tuple(int(round(v)) for v in values)


def _bokeh(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image = _wall(size, hue, rng) // 2
    for _ in range(6):  # layers of half-transparent discs
        layer = image.copy()
        for _ in range(8):
            at, r = _xy(*rng.uniform(0, size, 2)), int(size * rng.uniform(0.02, 0.08))
            cv2.circle(layer, at, r, _colour(hue, 75, 35, rng), -1, cv2.LINE_AA)
        image = cv2.addWeighted(layer, 0.5, image, 0.5, 0)
    return image


def _shelves(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image = _wall(size, hue, rng) // 2
    step = size // 5
    for top in range(int(rng.integers(-step, 0)), size, step):
        x = 0
        while x < size:
            w, h = int(size * rng.uniform(0.02, 0.06)), step * rng.uniform(0.55, 0.88)
            book = _colour(hue + rng.normal(0, 0.5), rng.uniform(35, 80), 30, rng)
            cv2.rectangle(image, _xy(x, top + step - h), _xy(x + w - 2, top + step), book, -1)
            x += w
        board = _colour(hue, 38, 18, rng)
        cv2.rectangle(image, (0, top + step - 4), (size, top + step + 3), board, -1)
    return image


def _bricks(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image = _wall(size, hue, rng, 8)
    high, wide = size // 16, size // 7
    for row, column in np.ndindex(17, 9):
        x, y = (column - 1) * wide + (row % 2) * wide // 2, row * high
        brick = _colour(hue, 55, 30, rng)
        cv2.rectangle(image, _xy(x + 1, y + 1), _xy(x + wide - 2, y + high - 2), brick, -1)
    return image


def _stripes(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image, wide = _wall(size, hue, rng), size * rng.uniform(0.04, 0.08)
    lean, colour = rng.uniform(-0.3, 0.3) * size, _colour(hue, 70, 34, rng)
    for x in np.arange(-size, 2 * size, 2 * wide):
        cv2.line(image, _xy(x, 0), _xy(x + lean, size), colour, int(wide), cv2.LINE_AA)
    return image


def _leaves(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image = _wall(size, hue, rng) // 2
    for _ in range(110):
        at, axes = _xy(*rng.uniform(0, size, 2)), _xy(size * rng.uniform(0.03, 0.08), size * 0.02)
        green = _colour(hue, rng.uniform(35, 75), 32, rng)
        cv2.ellipse(image, at, axes, rng.uniform(0, 180), 0, 360, green, -1, cv2.LINE_AA)
    return image


def _studio(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image = _wall(size, hue, rng, 30).astype(np.float32)
    at = size * rng.uniform(0.3, 0.7, 2)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    glow = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (0.35 * size) ** 2)[..., None]
    return (image * (0.65 + 0.55 * glow)).clip(0, 255)


def _tiles(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image, step = _wall(size, hue, rng, 10), int(size * rng.uniform(0.08, 0.14))
    for i, j in np.ndindex(size // step + 1, size // step + 1):
        if (i + j) % 2:
            tile = _colour(hue, 60, 18, rng)
            cv2.rectangle(image, (i * step, j * step), (i * step + step, j * step + step), tile, -1)
    return image


def _skyline(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image = _wall(size, hue, rng)
    for x in range(-10, size, size // 9):
        top, wide = size * rng.uniform(0.15, 0.6), size * rng.uniform(0.08, 0.16)
        block = _colour(hue + 2, rng.uniform(30, 55), 12, rng)
        cv2.rectangle(image, _xy(x, top), _xy(x + wide, size), block, -1)
        for y in np.arange(top + 6, size, size * 0.05):
            lit = _colour(hue + rng.uniform(-1, 1), rng.uniform(45, 85), 25, rng)
            cv2.rectangle(image, _xy(x + 4, y), _xy(x + wide - 5, y + size * 0.02), lit, -1)
    return image


def _meadow(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image = _wall(size, hue, rng)
    horizon = int(size * rng.uniform(0.35, 0.6))
    cv2.rectangle(image, (0, horizon), (size, size), _colour(hue + 2.2, 52, 30, rng), -1)
    for _ in range(60):
        at = _xy(rng.uniform(0, size), rng.uniform(horizon, size))
        cv2.circle(image, at, size // 60, _colour(rng.uniform(0, 6), 65, 35, rng), -1, cv2.LINE_AA)
    return image


def _posters(size: int, hue: float, rng: np.random.Generator) -> np.ndarray:
    image = _wall(size, hue, rng, 8)
    for _ in range(14):
        corner, shape = rng.uniform(-0.1, 0.95, 2) * size, rng.uniform(0.1, 0.3, 2) * size
        poster = _colour(rng.uniform(0, 6.3), rng.uniform(30, 80), 28, rng)
        cv2.rectangle(image, _xy(*corner), _xy(*(corner + shape)), poster, -1)
    return image


TRAIN: list[Painter] = [_bokeh, _shelves, _bricks, _stripes, _leaves, _studio]
WILD: list[Painter] = [_tiles, _skyline, _meadow, _posters]
