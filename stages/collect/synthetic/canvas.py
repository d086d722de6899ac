"""Smooth curves, and a canvas on which shapes are painted with soft edges."""

import cv2
import numpy as np
from numpy.typing import ArrayLike

SHIFT = 4  # fractional bits of OpenCV's coordinates: shapes are placed to 1/16 of a pixel
_STEPS = np.linspace(0, 1, 8, endpoint=False)[None, :, None]
_CIRCLE = np.exp(2j * np.pi * np.arange(24) / 24).view(float).reshape(24, 2)


def lab(lightness: float, a: float, b: float) -> np.ndarray:
    """A CIE Lab colour (L 0..100) as float32 RGB (3,) 0..255, clipped to sRGB."""
    pixel = np.array([[[lightness, a, b]]], np.float32)
    return np.clip(cv2.cvtColor(pixel, cv2.COLOR_Lab2RGB)[0, 0], 0, 1) * 255


def tint(rgb: np.ndarray, lightness: float, a: float = 0, b: float = 0) -> np.ndarray:
    """`rgb` (3,) shifted in Lab, for shadows and lights in the hue of their surface."""
    base = cv2.cvtColor((rgb / 255).astype(np.float32)[None, None], cv2.COLOR_RGB2Lab)[0, 0]
    return lab(*np.add(base, [lightness, a, b]))


def path(points: str) -> np.ndarray:
    """Points (k, 2) from the notation of SVG: "x,y x,y"."""
    return np.array([point.split(",") for point in points.split()], float)


def mirrored(right: ArrayLike) -> np.ndarray:
    """A symmetric outline (n, 2) from its right half (k, 2), whose first point is on the axis."""
    half = np.asarray(right, float)
    return curve(np.concatenate([half, half[:0:-1] * [-1, 1]]), closed=True)


def curve(points: ArrayLike, *, closed: bool = False) -> np.ndarray:
    """A Catmull-Rom spline (n, 2) through control points (k, 2), with eight points a segment."""
    p = np.asarray(points, float)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p, t = np.concatenate([ends[0], p, ends[1]]), _STEPS
    p0, p1, p2, p3 = (p[i : len(p) - 3 + i, None] for i in range(4))
    cubic = t * (2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * (p1 - p2) + p3 - p0))
    flat = (p1 + 0.5 * t * (p2 - p0 + cubic)).reshape(-1, 2)
    return flat if closed else np.concatenate([flat, p[-2:-1]])


def ribbon(line: np.ndarray, width: float, blunt: float = 0.0) -> np.ndarray:
    """The outline (2n, 2) of a brush stroke along `line` (n, 2).

    It is `width` wide in the middle and `blunt` times as wide at both ends.
    """
    ahead = np.concatenate([line[1:], line[-1:]]) - np.concatenate([line[:1], line[:-1]])
    ahead /= np.hypot(ahead[:, :1], ahead[:, 1:]) + 1e-6
    swell = blunt + (1 - blunt) * np.sin(np.linspace(0, np.pi, len(line)))[:, None]
    offset = ahead[:, ::-1] * [1, -1] * swell * width / 2
    return np.concatenate([line + offset, (line - offset)[::-1]])


def ellipse(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    """The outline (24, 2) of an upright ellipse."""
    return _CIRCLE * [rx, ry] + [x, y]


class Canvas:
    """A square picture of `pixels` pixels a side.

    `planes` (4, n, n) float32 are red, green and blue 0..255, premultiplied, and alpha 0..1. They
    are separate because numpy blends planes several times faster than interleaved pixels. Shapes
    are in pixels; blurs and line widths are in units of `unit` pixels.
    """

    def __init__(self, pixels: int, unit: float) -> None:
        self.planes, self.unit = np.zeros((4, pixels, pixels), np.float32), unit

    def stencil(self, *polygons: np.ndarray) -> np.ndarray:
        """A uint8 (n, n) mask of polygons, for the argument `clip` of `fill`."""
        mask = np.zeros(self.planes.shape[1:], np.uint8)
        for polygon in polygons:
            cv2.fillPoly(mask, [_fixed(polygon)], 255, cv2.LINE_AA, SHIFT)
        return mask

    def fill(
        self,
        polygons: np.ndarray | list[np.ndarray],
        colour: np.ndarray,
        opacity: float = 1.0,
        blur: float = 0.0,
        *,
        clip: np.ndarray | None = None,
        solid: bool = False,
        width: float = 0.0,
    ) -> None:
        """Paint one polygon (n, 2) or several, inside the stencil `clip`.

        `solid` paint makes the person larger; other paint only colours what is already painted.
        With a `width`, the points are open lines instead of polygons.
        """
        polygons = [polygons] if isinstance(polygons, np.ndarray) else polygons
        if not polygons or opacity <= 0:
            return
        blur, width = blur * self.unit, width * self.unit
        coarse = 4 if blur > 5 else 1  # a wide blur hides a coarse raster, which is much faster
        pad = 2.5 * blur + width + 2
        every = polygons[0] if len(polygons) == 1 else np.concatenate(polygons)
        left, top = (max(int(v - pad), 0) for v in every.min(0))
        right, bottom = (min(int(v + pad) + 1, self.planes.shape[1]) for v in every.max(0))
        if left >= right or top >= bottom:
            return
        mask = np.zeros((-(-(bottom - top) // coarse), -(-(right - left) // coarse)), np.uint8)
        shapes = [_fixed((polygon - (left, top)) / coarse) for polygon in polygons]
        if width:
            pen = max(1, round(width / coarse))
            cv2.polylines(mask, shapes, False, 255, pen, cv2.LINE_AA, SHIFT)
        else:
            for shape in shapes:  # one by one: a joint fill leaves holes where shapes overlap
                cv2.fillPoly(mask, [shape], 255, cv2.LINE_AA, SHIFT)
        if blur:
            mask = cv2.GaussianBlur(mask, (0, 0), blur / coarse)
        if coarse > 1:
            mask = cv2.resize(mask, (right - left, bottom - top), interpolation=cv2.INTER_LINEAR)
        amount = mask * np.float32(opacity / 255)
        if clip is not None:
            amount *= clip[top:bottom, left:right] * np.float32(1 / 255)
        under = self.planes[:, top:bottom, left:right]
        cover = amount if solid else amount * under[3]
        under *= 1 - amount
        under += cover * np.array([*colour, 1], np.float32)[:, None, None]


def _fixed(points: np.ndarray) -> np.ndarray:
    """Pixel coordinates as OpenCV's fixed-point int32."""
    return (points * (1 << SHIFT) + 0.5).astype(np.int32)
