"""Face crops -> RGBA cut-outs, and a row for every crop."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from PIL import Image

from stages.common.background import import_rembg
from stages.common.closure import closure
from stages.common.errors import UserError
from stages.common.images import read_png, why, write_png
from stages.common.reuse import reuse
from stages.common.version import version
from stages.records.faces import GEOMETRY, Crop
from stages.records.folders import picture
from stages.records.mattes import Cutout
from stages.records.record import Record
from stages.records.weights import WEIGHTS

if TYPE_CHECKING:
    from stages.records.flags import CutoutFlag
    from stages.records.params import CutoutQuality, Matte, Onnx

NOTHING_LEFT = 0.05  # share of the crop; a face alone is several times that
PACKAGES = ("rembg", "onnxruntime", "opencv-python-headless", "numpy", "pillow")


class Session(Protocol):
    """What finds the person: one of rembg's sessions, or one that works without rembg, which takes
    a second and 160 MB to import."""

    model_name: str

    def predict(self, img: Image.Image) -> list[Image.Image]:
        """The person in an RGB picture: one grey picture of the same size, 255 on the person."""
        ...


class CutBy(Record):
    """What a worker says of a cut-out."""

    session: str
    coverage: float  # see `coverage`
    failed: str = ""  # why there is no cut-out


def load_session(weights: Path, faces: Path, onnx: "Onnx | None") -> "Session | None":
    """The session that `weights` (data/weights/<task>) has; None for `none`.

    `faces`: a folder with geometry.json. `onnx`: how to run the session `onnx`.
    """
    segmenter = WEIGHTS.read(weights).segmenter
    if segmenter.name == "none":
        return None
    if segmenter.name == "grabcut":
        from stages.matte.grabcut import GrabCut

        places = GEOMETRY.read(faces)
        return GrabCut(places.size, np.array(places.eyes))
    if segmenter.name == "selfie":
        from stages.matte.selfie import Selfie

        return Selfie(segmenter.path(weights))
    os.environ["U2NET_HOME"] = str(weights.resolve())  # where rembg then finds <name>.onnx
    import onnxruntime

    rembg = import_rembg()

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one process a core already
    if onnx is not None and segmenter.name == "onnx":
        from stages.matte.onnx import OnnxSession

        return OnnxSession(segmenter.path(weights), onnx, options)
    return rembg.new_session(segmenter.name, sess_opts=options, providers=["CPUExecutionProvider"])


def cut_out(image: np.ndarray, session: "Session | None") -> np.ndarray:
    """(H, W, 3) `uint8` RGB -> (H, W, 4) RGBA: the same colours; alpha is 255 on the person."""
    if session is None:
        alpha = np.full(image.shape[:2], 255, np.uint8)
    else:
        alpha = np.asarray(session.predict(Image.fromarray(image))[0])
    return np.dstack([image, alpha])


def coverage(cutout: np.ndarray) -> float:
    """The person's share of an RGBA cut-out, 0 to 1, rounded as mattes.csv has it."""
    return round(float(cutout[..., 3].mean()) / 255, 4)


def flags(coverage: float, limits: "CutoutQuality") -> tuple["CutoutFlag", ...]:
    """What is odd about a cut-out of this `coverage`."""
    if coverage < limits.small:
        return ("small",)
    return ("large",) if coverage > limits.large else ()


def matte(
    crops: Sequence[Crop],
    faces: Path,
    weights: Path,
    out: Path,
    params: "Matte",
    *,
    scratch: Path,
    workers: int | None = None,
) -> list[Cutout]:
    """Write the cut-outs of the kept `crops` into `out` (as data/mattes); a row for each of them.

    `faces`: data/faces/<task>. A cut-out that covers less than `NOTHING_LEFT` of its crop is left
    out. One beyond the limits of `params.quality` is flagged, and left out if `params.drop` names
    the flag. Results that `scratch` has of an earlier run are used again, see
    `stages.common.reuse`. Raises `UserError` if the session fails on every crop.
    """
    segmenter = WEIGHTS.read(weights).segmenter
    kept = [crop for crop in crops if crop.kept]
    files = [segmenter.path(weights)] if segmenter.file else []
    settings = params.onnx.model_dump() if params.onnx and segmenter.name == "onnx" else None
    found = reuse(
        _one,
        CutBy,
        [picture(faces, crop.id) for crop in kept],
        scratch,
        version(
            closure("stages.matte.matte"),
            PACKAGES,
            [GEOMETRY.path(faces), *files],
            session=segmenter.name,
            onnx=settings,
        ),
        desc="mattes",
        initializer=_start,
        initargs=(weights, faces, params.onnx if segmenter.name == "onnx" else None),
        workers=workers,
    )
    if found and all(made.row.failed for made in found):
        raise UserError(
            f"matte.session {segmenter.name}: it works on none of the {len(found)} crops. "
            f"The first one {found[0].row.failed}"
        )
    cutouts = [_row(crop, made.row, params) for crop, made in zip(kept, found, strict=True)]
    for row, made in zip(cutouts, found, strict=True):
        if row.kept:
            made.link(picture(out, row.id))
    return cutouts


def _row(crop: Crop, by: CutBy, params: "Matte") -> Cutout:
    odd = () if by.session == "none" else flags(by.coverage, params.quality)
    unwanted = [flag for flag in odd if flag in params.drop]
    reason = f"flagged: {', '.join(unwanted)}" if unwanted else ""
    if by.failed:
        reason, odd = by.failed, ()
    elif by.coverage < NOTHING_LEFT:
        reason, odd = "almost nothing left of the person", ()
    return Cutout(crop.id, crop.label, by.session, by.coverage, not reason, reason, odd)


def _start(weights: Path, faces: Path, onnx: "Onnx | None") -> None:
    global _session
    _session = load_session(weights, faces, onnx)


def _one(face: Path, out: Path) -> CutBy:
    name = _session.model_name if _session else "none"
    image = read_png(face)
    try:
        cutout = cut_out(image, _session)
    except Exception as error:
        return CutBy(name, 0.0, why(error))
    write_png(out, cutout, stored=True)  # each augmentation reads it again
    return CutBy(name, coverage(cutout))
