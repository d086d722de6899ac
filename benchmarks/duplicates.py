"""python -m benchmarks.duplicates [PHOTOS]: how many duplicates are found, and in what time.

First the time of `similar_pairs` on more and more drawn thumbnails.

With PHOTOS (PHOTOS/<set>/<class>/..., YuNet's weights in PHOTOS/weights) also: photos read a
second; duplicates among the photos; recall and precision on copies added to the photos, one kind at
a time; and suspect labels after some labels were exchanged at random.
"""

import hashlib
import logging
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from stages.common.images import BadImage, decode
from stages.common.parallel import map_cores
from stages.extract.crop import Geometry
from stages.extract.crop import crop as crop_face
from stages.extract.face import choose
from stages.extract.yunet import YuNet
from stages.split.duplicates import similar_pairs
from stages.split.groups import groups
from stages.split.thumbnails import thumbnail, thumbnails
from stages.suspects.features import describe
from stages.suspects.suspects import suspects

SIZES = (10_000, 100_000)
SETS = ("age", "idol", "tone", "harry")
WEIGHTS = "face_detection_yunet_2023mar.onnx"
SAMPLE = 400  # photos of which copies are added
LEAST = (0.88, 0.65)  # split.duplicate_similarity: of params.yaml, and the lowest for photographs


def main() -> None:
    logging.basicConfig(level=logging.WARNING)
    print(f"{'thumbnails':>12}{'seconds':>10}{'CPU':>10}{'copies found':>22}{'others':>8}")
    for size in SIZES:
        seconds, cpu, recall, others = growth(size)
        print(f"{size:12,}{seconds:10.1f}{cpu:10.1f}{recall:22.1%}{others:8}", flush=True)
    if len(sys.argv) > 1:
        real(Path(sys.argv[1]))


def growth(count: int) -> tuple[float, float, float, int]:
    """Of `count` thumbnails, one in fifty a copy: seconds, CPU seconds, recall, and wrong pairs."""
    rng = np.random.default_rng(0)
    copies = count // 50
    pictures = np.stack([drawn(rng) for _ in range(count - copies)])
    pictures = np.concatenate([pictures, [altered(p, rng) for p in pictures[:copies]]])
    start, cpu = time.perf_counter(), cpu_seconds()
    pairs, _ = similar_pairs(pictures, LEAST[0], desc=f"{count:,}")
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    right = pairs[:, 1] - pairs[:, 0] == count - copies
    return seconds, cpu, right.sum() / copies, int((~right).sum())


def cpu_seconds() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def drawn(rng: np.random.Generator) -> np.ndarray:
    """A head before a wall, with details: as similar to each other as face crops are."""
    picture = np.full((64, 64), 128, np.float32)
    cv2.ellipse(picture, (32, 30), (17, 22), 0, 0, 360, 190, -1, cv2.LINE_AA)
    cv2.ellipse(picture, (32, 72), (28, 20), 0, 0, 360, 80, -1, cv2.LINE_AA)
    for side, contrast in ((6, 25), (12, 15), (24, 8)):
        noise = rng.normal(0, contrast, (side, side)).astype(np.float32)
        picture += cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture, 0, 255).astype(np.uint8)


def altered(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cropped to 92 to 100 %, mirrored half the time, with another contrast and noise."""
    side = 64 * rng.uniform(0.92, 1)
    corner = rng.uniform(0, 64 - side, 2)
    warp = np.array([[64 / side, 0, -corner[0]], [0, 64 / side, -corner[1]]])
    copy = cv2.warpAffine(picture, warp, (64, 64)).astype(np.float32)
    copy = copy[:, :: rng.choice([1, -1])] * rng.uniform(0.7, 1.1) + rng.normal(0, 2, (64, 64))
    return np.clip(copy, 0, 255).astype(np.uint8)


def jpeg(picture: np.ndarray, quality: int = 90) -> bytes:
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def crop(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    height, width = (round(0.9 * side) for side in picture.shape[:2])
    y = rng.integers(0, picture.shape[0] - height + 1)
    x = rng.integers(0, picture.shape[1] - width + 1)
    return picture[y : y + height, x : x + width]


def recolour(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    gain, gamma = rng.uniform(0.7, 1.3, 3), rng.uniform(0.75, 1.33)
    return np.clip(255 * (picture / 255) ** gamma * gain, 0, 255).astype(np.uint8)


def halve(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


COPIES = {
    "saved again, quality 40": lambda picture, rng: jpeg(picture, 40),
    "resized to half": lambda picture, rng: jpeg(halve(picture)),
    "cropped to 90 %": lambda picture, rng: jpeg(crop(picture, rng)),
    "mirrored": lambda picture, rng: jpeg(picture[:, ::-1]),
    "recoloured": lambda picture, rng: jpeg(recolour(picture, rng)),
    "mirrored, cropped, recoloured": lambda picture, rng: jpeg(
        recolour(crop(picture[:, ::-1], rng), rng), 70
    ),
}


def real(root: Path) -> None:
    files = sorted(p for name in SETS for p in (root / name).rglob("*") if p.is_file())
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        thumbnails(files, Path(scratch), desc="read")
    print(f"\nphotos read: {len(files) / (time.perf_counter() - start):.0f} a second")
    rng = np.random.default_rng(0)
    chosen = set(rng.choice(len(files), SAMPLE, replace=False).tolist())
    jobs = [(path, k in chosen) for k, path in enumerate(files)]
    seen = list(
        map_cores(partial(views, root / "weights" / WEIGHTS), jobs, desc="faces", total=len(jobs))
    )
    names = [str(p.relative_to(root)) for p, found in zip(files, seen, strict=True) if found]
    seen = [found for found in seen if found]
    table = pd.DataFrame({"id": names, "person": ""})
    labels = [name.split("/")[1] for name in names]
    for least in LEAST:
        start = time.perf_counter()
        base = pairs_of([found[""] for found in seen], names, least)
        seconds = time.perf_counter() - start
        label = dict(zip(names, labels, strict=True))
        crossing = sum(label[a] != label[b] for a, b in base.to_numpy())
        print(f"\nsimilarity {least}: among {len(names)} photos {len(base)} pairs without copies")
        print(f"({crossing} under two labels), {seconds:.1f} s; to be looked at:")
        print(base.to_string(index=False, header=False))
        print(f"{'added':32}{'copies':>8}{'recall':>8}{'precision':>11}")
        for kind in COPIES:
            copies = {f"{n} copy": f[kind] for n, f in zip(names, seen, strict=True) if kind in f}
            pictures = [*(found[""] for found in seen), *copies.values()]
            pairs = pairs_of(pictures, [*names, *copies], least)
            every = pd.DataFrame({"id": [*names, *copies], "person": ""})
            cluster = groups(every, pairs).set_axis(every.id)
            recall = np.mean(
                [cluster[copy] == cluster[copy.removesuffix(" copy")] for copy in copies]
            )
            own = groups(table, base).set_axis(table.id)
            new = pairs[pairs.a.str.endswith(" copy") | pairs.b.str.endswith(" copy")]
            of = [new[side].str.removesuffix(" copy").map(own) for side in "ab"]
            print(
                f"{kind:32}{len(copies):8}{recall:8.1%}{(of[0] == of[1]).mean():11.1%}", flush=True
            )
    noise(
        [found["crop"] for found, name in zip(seen, names, strict=True) if name[:4] == "age/"],
        [label for label, name in zip(labels, names, strict=True) if name[:4] == "age/"],
    )


def views(weights: Path, job: tuple[Path, bool]) -> dict[str, np.ndarray]:
    """Thumbnails of the whole and of the face, uint8 (2, 64, 64): of the photo under "", and of its
    copies by kind. "crop" is the face crop itself. Empty where there is no face."""
    path, copied = job
    try:
        picture = decode(path.read_bytes())
    except BadImage:
        return {}
    detector = YuNet(weights, 0.7)
    rng = np.random.default_rng(int(hashlib.sha256(path.name.encode()).hexdigest()[:8], 16))
    found = {}
    kinds = {"": None, **(COPIES if copied else {})}
    for kind, copy in kinds.items():
        shown = picture if copy is None else decode(copy(picture, rng))
        if faces := detector.detect(shown):
            face = crop_face(shown, choose(faces, "largest", shown.shape), Geometry(256, 0.5))
            found[kind] = np.stack([thumbnail(shown), thumbnail(face)])
            if copy is None:
                found["crop"] = face
        elif copy is None:
            return {}
    return found


def pairs_of(pictures: list[np.ndarray], names: list[str], least: float) -> pd.DataFrame:
    """Pairs of names, `a` and `b`, found by the whole picture or by the face."""
    found = [
        similar_pairs(np.stack([picture[view] for picture in pictures]), least, desc="pairs")[0]
        for view in (0, 1)
    ]
    rows = np.unique(np.vstack(found)[:, :2], axis=0)
    return pd.DataFrame(np.array(names, dtype=object)[rows], columns=["a", "b"])


def noise(faces: list[np.ndarray], labels: list[str]) -> None:
    """Exchange labels at random, and count those that are suspect."""
    seen, truth = np.stack([describe(face) for face in faces]), np.array(labels)
    print(
        f"\n{'labels exchanged':>18}{'suspects':>10}{'recall':>8}{'precision':>11}"
        f"{'of as many, worst first':>25}"
    )
    for share in (0.05, 0.1):
        rng = np.random.default_rng(0)
        given = truth.copy()
        for k in rng.choice(len(truth), round(share * len(truth)), replace=False):
            given[k] = rng.choice([name for name in np.unique(truth) if name != truth[k]])
        ids = np.arange(len(truth)).astype(str)
        found = suspects(pd.DataFrame({"id": ids, "label": given, "group": ids}), seen)
        wrong = (given != truth)[found.id.astype(int)]
        many, flagged = wrong.sum(), found.suspect.to_numpy(bool)
        print(
            f"{many:12} ({share:.0%}){flagged.sum():10}{wrong[flagged].sum() / many:8.0%}"
            f"{wrong[flagged].mean():11.0%}{wrong[:many].mean():25.0%}"
        )


if __name__ == "__main__":
    main()
