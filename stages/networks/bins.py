"""Classes of a number."""

from itertools import pairwise

import numpy as np


def bin_edges(bins: dict[str, tuple[float, float]]) -> np.ndarray:
    """float (K + 1,): the middle of each gap between two bins, between minus and plus infinity."""
    between = [(a[1] + b[0]) / 2 for a, b in pairwise(bins.values())]
    return np.array([-np.inf, *between, np.inf])
