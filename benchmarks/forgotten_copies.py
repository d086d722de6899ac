"""python -m benchmarks.forgotten_copies DATA TASK [--forgotten 20] [--others 100]

How many copies of forgotten photos does `collect` know, and how many photos of others does it take
for copies? DATA is a finished `data` folder; photos that `split` put into one group do not count as
others. Reads, and writes nothing.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

from stages.collect.fingerprint import copies, fingerprint, signs
from stages.collect.forgotten import NEAR
from stages.collect.phash import phash
from stages.common.images import decode
from stages.records.folders import Folders, photos
from stages.records.splits import SPLITS


def _turned(image: np.ndarray, degrees: float) -> np.ndarray:
    size = image.shape[1], image.shape[0]
    matrix = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, size)


def variants(image: np.ndarray) -> dict[str, np.ndarray]:
    high, wide = image.shape[0] // 20, image.shape[1] // 20
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    edge, white = max(high, wide) * 2, (255, 255, 255)
    return {
        "saved again, quality 40": np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)),
        "half the size": cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "mirrored": np.ascontiguousarray(image[:, ::-1]),
        "cropped to 90 %": np.ascontiguousarray(image[high:-high, wide:-wide]),
        "cropped at a corner": np.ascontiguousarray(image[: -2 * high, : -2 * wide]),
        "framed, 10 %": cv2.copyMakeBorder(
            image, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=white
        ),
        "turned by 3 degrees": _turned(image, 3),
        "brighter": cv2.convertScaleAbs(image, alpha=1.2, beta=25),
        "tinted": np.clip(image * np.array([1.15, 1, 0.8]), 0, 255).astype(np.uint8),
        "all: mirrored, cropped, turned": np.ascontiguousarray(
            _turned(image, -3)[high:-high, wide:-wide][:, ::-1]
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.forgotten_copies", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("task")
    parser.add_argument("--forgotten", type=int, default=20)
    parser.add_argument("--others", type=int, default=100)
    options = parser.parse_args()
    at = Folders(options.task, options.data.parent)
    files, group = photos(at.raw), {row.id: row.group for row in SPLITS.read(at.splits)}
    ids = np.random.default_rng(0).permutation(sorted(group)).tolist()
    images = {id: decode(files[id].read_bytes()) for id in ids[: options.others]}
    gone = ids[: options.forgotten]
    known = {id: signs(fingerprint(images[id]))[None] for id in gone}
    hashes = {id: int(phash(image), 16) for id, image in images.items()}

    found = [
        {name: copies(copy, known[id]) for name, copy in variants(images[id]).items()}
        for id in gone
    ]
    for name in found[0]:
        print(f"{name:32} known {sum(each[name] for each in found)} of {len(found)}")
    pairs = [(a, b) for a in gone for b in images if group[a] != group[b]]
    began = time.monotonic()
    false = sum(copies(images[b], known[a]) for a, b in pairs)
    each = (time.monotonic() - began) / len(pairs) * 1000
    near = sum((hashes[a] ^ hashes[b]).bit_count() <= NEAR for a, b in pairs)
    print(f"photos of others taken for copies: {false} of {len(pairs)} pairs, {each:.0f} ms a pair")
    print(f"by the perceptual hash alone, as until now: {near}")


if __name__ == "__main__":
    main()
