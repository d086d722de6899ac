"""Which pairs of many pictures to compare: an index finds the few that look most like each.

The descriptor is coarse on purpose: cropping, tinting or a face found some pixels off hardly change
it. Many near pictures are therefore no duplicates; `alignment` decides that.
"""

import cv2
import faiss
import numpy as np

# Gradient directions in 3 x 3 overlapping blocks. Source: Dalal and Triggs, "Histograms of Oriented
# Gradients for Human Detection" (2005), https://doi.org/10.1109/CVPR.2005.177
HOG = cv2.HOGDescriptor((64, 64), (32, 32), (16, 16), (16, 16), 9)
NEAREST = 5  # neighbours to compare, of each picture and of its mirror image
FARTHEST = 1.0  # squared distance; of 2,800 planted duplicates, 99 in 100 were nearer than 0.75
PROBES = 16  # cells of the index to search; up to 600 pictures that is all of them


def describe(thumbnails: np.ndarray) -> np.ndarray:
    """(n, 64, 64) `uint8` grey -> (n, 324) `float32`."""
    found = np.empty((len(thumbnails), HOG.getDescriptorSize()), np.float32)
    for row, thumbnail in zip(found, thumbnails, strict=True):
        row[:] = HOG.compute(np.ascontiguousarray(thumbnail))
    return found


def candidates(thumbnails: np.ndarray) -> np.ndarray:
    """(n, 64, 64) `uint8` grey -> (m, 3) `int64`: two rows a < b, and 1 where b looks like the
    mirror image of a, else 0.

    The index is an inverted file of sqrt(n) cells, so that the cost grows with n^1.5.
    """
    count = len(thumbnails)
    if count < 2:
        return np.empty((0, 3), np.int64)
    plain, mirrored = describe(thumbnails), describe(thumbnails[:, :, ::-1])
    cells = max(1, min(round(count**0.5), count // 39))  # faiss wants 39 points a cell
    index = faiss.index_factory(plain.shape[1], f"IVF{cells},Flat")
    index.train(plain)
    index.add(plain)
    faiss.ParameterSpace().set_index_parameter(index, "nprobe", PROBES)
    found = []
    for queries, mirror in ((plain, 0), (mirrored, 1)):
        distance, near = index.search(queries, NEAREST + 1)  # the first is the picture itself
        row, column = np.nonzero((near >= 0) & (distance <= FARTHEST))
        pair = np.sort(np.column_stack([row, near[row, column]]), axis=1)
        pair = pair[pair[:, 0] < pair[:, 1]]
        found.append(np.column_stack([pair, np.full(len(pair), mirror)]))
    return np.unique(np.vstack(found), axis=0)
