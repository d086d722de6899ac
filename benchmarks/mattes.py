"""python -m benchmarks.mattes PHOTOS [--weights FOLDER]: how well each session cuts people out.

PHOTOS holds matting/image and matting/mask (white where people are). Every session whose weights
are on this machine runs on the crop that the pipeline would make of the largest face. IoU:
intersection over union of alpha and mask, both cut at one half. Boundary F: the harmonic mean of
the shares of each outline that lie within `NEAR` of the other (D. Martin et al., "Learning to
detect natural image boundaries", 2004). ms: CPU time of one picture, with one thread. Portraits are
photos whose face is at least `PORTRAIT` as wide as they are; the rest is mostly crowds and blur,
and some have no mask for the person in front.
"""

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from cv2.data import haarcascades

from stages.common.errors import UserError
from stages.common.images import decode
from stages.common.parallel import progress
from stages.extract.crop import Geometry, crop
from stages.extract.face import choose
from stages.extract.haar import Haar
from stages.extract.yunet import YuNet
from stages.matte.matte import Session, cut_out, load_session
from stages.records.faces import GEOMETRY
from stages.records.params import Onnx
from stages.records.weights import WEIGHTS, Weights
from stages.weights.choose import detector, segmenter
from stages.weights.find import Places
from stages.weights.known import HAAR, SEGMENTERS, YUNET

SIZE, FACE_WIDTH = 256, 0.5  # the crops that params.yaml asks for
PORTRAIT = 0.12
NEAR = 0.01  # of the crop's diagonal


@dataclass
class Portrait:
    crop: np.ndarray  # (SIZE, SIZE, 3) `uint8`
    mask: np.ndarray  # (SIZE, SIZE) `uint8`
    large: bool


def portraits(photos: Path, weights: Path | None = None) -> list[Portrait]:
    """Crops of the largest face of each photo that has one, with their masks."""
    networks = [path for w in YUNET if (path := (weights or photos / "weights") / w.file).is_file()]
    detector = YuNet(networks[0], 0.7) if networks else Haar(Path(haarcascades) / HAAR)
    geometry = Geometry(SIZE, FACE_WIDTH)
    masks = {path.stem: path for path in (photos / "matting/mask").iterdir()}
    found = []
    for path in sorted((photos / "matting/image").iterdir()):
        image = decode(path.read_bytes())
        if faces := detector.detect(image):
            face = choose(faces, "largest", image.shape)
            mask = cv2.imread(str(masks[path.stem]), cv2.IMREAD_GRAYSCALE)
            assert mask is not None, masks[path.stem]
            mask = cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            mask = crop(cv2.merge([mask] * 3), face, geometry)[..., 0]
            large = face.box[2] >= PORTRAIT * image.shape[1]
            found.append(Portrait(crop(image, face, geometry), mask, large))
    return found


def iou(alpha: np.ndarray, mask: np.ndarray) -> float:
    """Of two (H, W) `uint8` maps; 1 where both are empty."""
    a, b = alpha > 127, mask > 127
    return float((a & b).sum() / (a | b).sum()) if (a | b).any() else 1.0


def boundary_f(alpha: np.ndarray, mask: np.ndarray) -> float:
    """Of two (H, W) `uint8` maps; 1 where both are plain, 0 where one of them is."""
    outlines = [_outline(alpha > 127), _outline(mask > 127)]
    if not all(each.any() for each in outlines):
        return float(not any(each.any() for each in outlines))
    reach = NEAR * np.hypot(*mask.shape)
    near = []
    for a, b in (outlines, outlines[::-1]):
        away = cv2.distanceTransform((~b).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        near.append((away[a] <= reach).mean())
    return float(2 * near[0] * near[1] / max(sum(near), 1e-9))


def _outline(inside: np.ndarray) -> np.ndarray:
    """The inner pixels of a shape that touch its outside; the picture's edge is no outline."""
    shrunk = cv2.erode(inside.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return inside & (shrunk == 0)


PRISMA = Onnx(
    file="prisma_nchw.onnx",
    size=256,
    mean=(0, 0, 0),
    std=(1, 1, 1),
    channel=0,
    activation="none",
    mirror=False,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--weights", type=Path, help="a folder, as weights.local; PHOTOS/weights")
    arguments = parser.parse_args()
    local = arguments.weights or arguments.photos / "weights"
    cv2.setNumThreads(1)
    faces = portraits(arguments.photos, local)
    large = np.array([face.large for face in faces])
    print(f"{large.sum()} portraits, {(~large).sum()} others with a face")
    print(f"{'session':24}{'IoU':>8}{'median':>8}{'bound. F':>10}{'rest IoU':>10}{'ms':>8}")
    runs = [("grabcut", None), *((name, None) for name in SEGMENTERS)]
    runs += [("onnx", PRISMA), ("onnx", PRISMA.model_copy(update={"mirror": True}))]
    for name, onnx in runs:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            try:
                session = prepare(name, onnx, local, place)
            except UserError as error:
                print(f"{name:24}cannot run: {str(error).split(':')[0]}: {name!r} is not at hand")
                continue
            cut_out(faces[0].crop, session)  # the first takes longer
            start = time.process_time()
            alphas = [
                cut_out(face.crop, session)[..., 3]
                for face in progress(faces, desc=name, total=len(faces))
            ]
            ms = 1000 * (time.process_time() - start) / len(faces)
        scores = np.array([iou(a, face.mask) for a, face in zip(alphas, faces, strict=True)])
        edges = np.array([boundary_f(a, face.mask) for a, face in zip(alphas, faces, strict=True)])
        title = name if onnx is None else Path(onnx.file).stem + ", mirrored too" * onnx.mirror
        print(
            f"{title:24}{scores[large].mean():8.3f}{np.median(scores[large]):8.3f}"
            f"{edges[large].mean():10.3f}{scores[~large].mean():10.3f}{ms:8.1f}"
        )


def prepare(name: str, onnx: Onnx | None, local: Path, folder: Path) -> Session | None:
    """The session, as the stages `weights` and `matte` make it; never from the network."""
    places = Places(local, folder / "none", download=False)
    found = Weights(
        detector=detector("haar", places, folder),
        segmenter=segmenter(name, places, folder, onnx.file if onnx else None),
    )
    WEIGHTS.write(folder, found)
    GEOMETRY.write(folder, Geometry(SIZE, FACE_WIDTH).places())
    return load_session(folder, folder, onnx)


if __name__ == "__main__":
    main()
