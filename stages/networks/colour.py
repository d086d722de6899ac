"""How light, how red and how yellow a face is, as fixed layers: CIE Lab of the sRGB pixels."""

from typing import Any

import numpy as np
from keras import ops

from stages.networks.channels import rgb
from stages.networks.middle import middle

PERCENTILES = (10, 25, 50, 75, 90)
# IEC 61966-2-1: linear R, G, B -> X, Y, Z, divided by the white D65
XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ],
    np.float32,
)
TO_XYZ = (XYZ / XYZ.sum(axis=1, keepdims=True)).T


def lab(pixels: Any) -> Any:
    """Pixels 0 to 255, (N, H, W, 1 or 3), to (N, 21).

    Means of L, a and b; their deviations; their 10th percentiles, and so on to the 90th.
    """
    face = middle(rgb(pixels))
    _, height, width, _ = face.shape
    values = ops.reshape(_lab(face / 255), (-1, height * width, 3))
    spread = ops.concatenate(_percentiles(values, height * width), axis=-1)
    means, deviations = ops.mean(values, axis=1), ops.std(values, axis=1)
    return ops.concatenate([means, deviations, spread], axis=-1)


def _percentiles(values: Any, n: int) -> list[Any]:
    """Of (N, n, 3): for each of `PERCENTILES` (N, 3), between its two neighbours where it is none.

    `ops.quantile` computes with 64 bits, which LiteRT cannot.
    """
    rising = ops.sort(values, axis=1)
    found = []
    for share in PERCENTILES:
        below, between = divmod(share / 100 * (n - 1), 1)
        low, high = rising[:, int(below)], rising[:, min(int(below) + 1, n - 1)]
        found.append(low + between * (high - low))
    return found


def _lab(srgb: Any) -> Any:
    """sRGB 0 to 1, (..., 3), to L 0 to 100 and a, b about -128 to 127."""
    light = ops.where(srgb <= 0.04045, srgb / 12.92, ops.power((srgb + 0.055) / 1.055, 2.4))
    xyz = ops.matmul(light, TO_XYZ)
    root = ops.power(ops.maximum(xyz, 0.008856), 1 / 3)
    root = ops.where(xyz > 0.008856, root, 7.787 * xyz + 16 / 116)
    x, y, z = ops.split(root, 3, axis=-1)
    return ops.concatenate([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
