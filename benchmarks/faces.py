"""python -m benchmarks.faces PHOTOS [--weights FOLDER]: how well the detectors find faces.

PHOTOS holds detect/ (with labels.json, see `Labelled`) and age/ (one person a photo). Right count:
the detector finds as many faces as there are. Boxes found: known boxes whose best match has an
intersection over union of at least `OVERLAP`; that is little, because data sets draw boxes of
different sizes. ms: one photo of age/ on one core, without decoding.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import msgspec
import numpy as np
from cv2.data import haarcascades

from stages.common.images import decode
from stages.common.parallel import progress
from stages.extract.face import Detector
from stages.extract.haar import Haar
from stages.extract.yunet import YuNet
from stages.weights.known import HAAR, YUNET

Box = tuple[float, float, float, float]  # x, y, width, height
OVERLAP = 0.3
MIN_SCORE = 0.7  # as in params.yaml
TARGETS = {"yunet": 0.995, "haar": 0.97}  # share of age/ with a face
NO_FACE = 0.95  # share of the photos without a face on which none is found
PARTS = {"no face": lambda n: n == 0, "one face": lambda n: n == 1, "groups": lambda n: n > 1}


class Labelled(msgspec.Struct):
    """An entry of detect/labels.json, which has other keys too."""

    file: str
    n_faces: int | None  # None: unknown
    boxes_xywh: list[Box] | None  # None: unknown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", type=Path, help="a folder, as weights.local; PHOTOS/weights")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    local = arguments.weights or arguments.photos / "weights"
    detectors: list[Detector] = [Haar(Path(haarcascades) / HAAR)]
    networks = [local / weight.file for weight in YUNET if (local / weight.file).is_file()]
    detectors += [YuNet(path, MIN_SCORE) for path in networks]
    text = (arguments.photos / "detect/labels.json").read_bytes()
    labels = msgspec.json.decode(text, type=list[Labelled])
    portraits = sorted(path for path in (arguments.photos / "age").rglob("*") if path.is_file())
    names = [Haar.name, *(path.stem.removeprefix("face_detection_") for path in networks)]
    results = [measure(each, arguments.photos / "detect", labels, portraits) for each in detectors]
    print(f"{'':36}" + "".join(f"{name:>20}" for name in names) + "  target")
    for line in results[0]:
        print(f"{line:36}" + "".join(f"{result[line]:>20}" for result in results), end="  ")
        print(_target(line))


def _target(line: str) -> str:
    if line.startswith("age"):
        return ", ".join(f"{name} >= {share:.1%}" for name, share in TARGETS.items())
    return f">= {NO_FACE:.0%}" if line.startswith("no face: right") else ""


def measure(
    detector: Detector, folder: Path, labels: Sequence[Labelled], portraits: Sequence[Path]
) -> dict[str, str]:
    """One column of the table: line -> cell."""
    right: dict[str, list[bool]] = {part: [] for part in PARTS}
    covered, found_one = [], []
    for entry in progress(labels, desc=f"{detector.name}, detect", total=len(labels)):
        image = decode((folder / entry.file).read_bytes())
        boxes = [face.box for face in detector.detect(image)]
        for part, belongs in PARTS.items():
            if entry.n_faces is not None and belongs(entry.n_faces):
                right[part].append(len(boxes) == entry.n_faces)
                if part == "one face":
                    found_one.append(bool(boxes))
        for box in entry.boxes_xywh or []:
            covered.append(max((overlap(box, each) for each in boxes), default=0) >= OVERLAP)
    seen, seconds = 0, 0.0
    for path in progress(portraits, desc=f"{detector.name}, age", total=len(portraits)):
        image = decode(path.read_bytes())
        start = time.perf_counter()
        seen += bool(detector.detect(image))
        seconds += time.perf_counter() - start
    table = {f"{part}: right count": _share(values) for part, values in right.items()}
    return table | {
        "one face: at least one found": _share(found_one),
        "boxes found": _share(covered),
        "age: photos with a face": f"{seen / len(portraits):.2%} of {len(portraits)}",
        "ms a photo": f"{1000 * seconds / len(portraits):.1f}",
    }


def _share(values: list[bool]) -> str:
    return f"{np.mean(values):.1%} of {len(values)}" if values else "-"


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


if __name__ == "__main__":
    main()
