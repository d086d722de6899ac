"""Photos of one person by their faces, where no name tells it.

Average linkage: two groups are joined while the mean similarity between their photos is high
enough, the most similar ones first. Plain connected components would chain people together: with
thousands of pairs of strangers, some always look alike (`python -m benchmarks.same_face`).
"""

from heapq import heappop, heappush

import faiss
import numpy as np

NEAREST = 20  # photos of a face's neighbourhood that may start a join


def join(group: np.ndarray, named: np.ndarray, faces: np.ndarray, least: float) -> np.ndarray:
    """(n,) ints, the same for photos of one person.

    `group`: (n,) ints 0..k-1, what belongs together anyway; `named`: (k,) bool, whether a photo of
    the group has a name; `faces`: (n, d), of length 1. Groups whose mean similarity is at least
    `least` are joined, but never two that have names. The memory grows with n, not with its square.
    """
    total = list(_sums(group, faces, len(named)))  # the mean similarity follows from the sums
    size, known = np.bincount(group, minlength=len(named)).tolist(), named.tolist()
    into = list(range(len(total)))  # the group that each one went into
    near: dict[int, set[int]] = {number: set() for number in into}  # of those that remain
    heap: list[tuple[float, int, int]] = []

    def consider(a: int, b: int) -> None:
        mean = float(total[a] @ total[b]) / (size[a] * size[b])
        if mean >= least and not (known[a] and known[b]):
            near[a].add(b)
            near[b].add(a)
            heappush(heap, (-mean, a, b))

    pairs = np.sort(group[neighbours(faces, least)], axis=1)
    for a, b in np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0).tolist():
        consider(a, b)
    while heap:
        _, a, b = heappop(heap)
        if a not in near or b not in near:
            continue  # one of them has gone into another group
        new = len(total)
        total.append(total[a] + total[b])
        size.append(size[a] + size[b])
        known.append(known[a] or known[b])
        into[a] = into[b] = new
        into.append(new)
        others = (near.pop(a) | near.pop(b)) - {a, b}
        near[new] = set()
        for other in sorted(others):
            near[other] -= {a, b}
            consider(other, new)
    for number in reversed(range(len(into))):
        into[number] = into[into[number]]
    return np.array(into)[group]


def neighbours(faces: np.ndarray, least: float) -> np.ndarray:
    """(m, 2) rows of photos that resemble each other by at least `least`: of each face, the
    `NEAREST` ones."""
    index = faiss.IndexFlatIP(faces.shape[1])
    index.add(faces)
    similarity, near = index.search(faces, min(NEAREST + 1, len(faces)))  # itself is the first
    row, column = np.nonzero(similarity >= least)
    return np.column_stack([row, near[row, column]])


def _sums(group: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    sums = np.zeros((count, faces.shape[1]))
    np.add.at(sums, group, faces)
    return sums
