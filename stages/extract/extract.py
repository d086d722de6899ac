"""Photos -> face crops in one geometry, and a row for every photo."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import asdict

from stages.common.closure import closure
from stages.common.errors import UserError
from stages.common.images import BadImage, decode, why, write_png
from stages.common.reuse import Made, reuse
from stages.common.version import version
from stages.extract.crop import Geometry, crop
from stages.extract.face import Detector, choose
from stages.extract.haar import Haar
from stages.extract.quality import Measures, flags, measure
from stages.extract.yunet import YuNet
from stages.records.faces import Crop
from stages.records.folders import photos, picture
from stages.records.manifest import Photo
from stages.records.record import Record
from stages.records.weights import WEIGHTS

if TYPE_CHECKING:
    from stages.records.params import Extract

PACKAGES = ("opencv-python-headless", "numpy", "pillow")


class Found(Record):
    """What a worker says of a photo; without `measures` there is no crop, and a reason."""

    detector: str
    reason: str = ""
    measures: Measures | None = None


def load_detector(weights: Path, min_score: float) -> Detector:
    """The detector that `weights` (data/weights/<task>) has. `min_score`: see `YuNet`."""
    detector = WEIGHTS.read(weights).detector
    file = detector.path(weights)
    return YuNet(file, min_score) if detector.name == "yunet" else Haar(file)


def extract(
    manifest: Sequence[Photo],
    raw: Path,
    weights: Path,
    out: Path,
    params: "Extract",
    *,
    scratch: Path,
    workers: int | None = None,
) -> list[Crop]:
    """Write a crop for each photo with a face into `out` (as data/faces); a row for each photo.

    `manifest`: the photos of `raw` (data/raw/<task>). A face beyond the limits of `params.quality`
    is flagged, and left out if `params.drop` names the flag. Results that `scratch` has of an
    earlier run are used again, see `stages.common.reuse`.
    Raises `UserError` if a class has no photo with a face.
    """
    files = photos(raw)
    detector = WEIGHTS.read(weights).detector
    geometry = Geometry(params.size, params.face_width)
    decisive = {"which": params.face, "min_score": params.min_score, "geometry": vars(geometry)}
    found = reuse(
        _one,
        Found,
        [files[photo.id] for photo in manifest],
        scratch,
        version(
            closure("stages.extract.extract"),
            PACKAGES,
            [detector.path(weights)],
            detector=detector.name,
            **decisive,
        ),
        desc="faces",
        initializer=_start,
        initargs=(weights, params.min_score, params.face, geometry),
        workers=workers,
    )
    crops = [_row(photo, made, params) for photo, made in zip(manifest, found, strict=True)]
    for row, made in zip(crops, found, strict=True):
        if row.kept:
            made.link(picture(out, row.id))
    _refuse_empty_classes(crops)
    return crops


def _row(photo: Photo, made: Made[Found], params: "Extract") -> Crop:
    found = made.row
    if found.measures is None:
        about = {"reason": found.reason, "faces": 0}
        return Crop(photo.id, photo.label, False, detector=found.detector, **about)
    wrong = flags(found.measures, params.quality)
    unwanted = [flag for flag in wrong if flag in params.drop]
    return Crop(
        id=photo.id,
        label=photo.label,
        kept=not unwanted,
        reason=f"flagged: {', '.join(unwanted)}" if unwanted else "",
        detector=found.detector,
        flags=wrong,
        **asdict(found.measures),
    )


def _refuse_empty_classes(crops: list[Crop]) -> None:
    for label in sorted({row.label for row in crops}):
        of_class = [row for row in crops if row.label == label]
        if not any(row.kept for row in of_class):
            reasons = ", ".join(sorted({row.reason for row in of_class}))
            raise UserError(
                f"class {label!r}: a face was found in none of its {len(of_class)} photos "
                f"({reasons}). Look at the photos, or change extract.detector, extract.min_score "
                "or extract.drop"
            )


def _start(weights: Path, min_score: float, which: str, geometry: Geometry) -> None:
    global _detector, _which, _geometry
    _detector = load_detector(weights, min_score)
    _which, _geometry = which, geometry


def _one(photo: Path, out: Path) -> Found:
    data = photo.read_bytes()
    try:
        found = _find(data)
    except BadImage as error:
        return Found(_detector.name, str(error))
    except Exception as error:
        return Found(_detector.name, why(error))
    if found is None:
        return Found(_detector.name, "no face found")
    square, measures = found
    write_png(out, square)
    return Found(_detector.name, measures=measures)


def _find(photo: bytes) -> tuple[np.ndarray, Measures] | None:
    """The crop, and what is measured on it; None: no face."""
    image = decode(photo)
    faces = _detector.detect(image)
    if not faces:
        return None
    face = choose(faces, _which, image.shape)
    square = crop(image, face, _geometry)
    return square, measure(square, face, len(faces), _geometry)
