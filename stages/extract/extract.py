"""Photos -> face crops in one geometry, and a row for every photo."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from stages.common import images
from stages.common.errors import UserError
from stages.common.images import BadImage, decode, write_png
from stages.common.reuse import reuse, version
from stages.extract.crop import Geometry, crop
from stages.extract.face import Detector, choose
from stages.extract.haar import Haar
from stages.extract.quality import MEASURES, flags, measure
from stages.extract.yunet import YuNet
from stages.records.params import FaceQuality

COLUMNS = [
    *("id", "label", "kept", "reason", "detector", "score"),
    *("x", "y", "w", "h", "landmarks", "faces", *MEASURES, "flags"),
]
CODE = [*Path(__file__).parent.glob("*.py"), Path(images.__file__)]
PACKAGES = ["opencv-python-headless", "numpy", "pillow"]


def load_detector(weights: Path, min_score: float) -> Detector:
    """The detector that the folder's `weights.json` names."""
    entry = _entry(weights)
    if entry["name"] == "yunet":
        return YuNet(weights / entry["file"], min_score)
    return Haar()


def _entry(weights: Path) -> dict:
    return json.loads((weights / "weights.json").read_text(encoding="utf-8"))["detector"]


def extract(
    manifest: Sequence[Mapping[str, str]],
    photos: Path,
    weights: Path,
    out: Path,
    geometry: Geometry,
    *,
    which: str,
    min_score: float,
    limits: FaceQuality,
    drop: Sequence[str] = (),
    scratch: Path,
    workers: int | None = None,
) -> list[dict]:
    """Write a PNG into `out` for each photo with a face; return `faces.csv`, a row a photo.

    `manifest`: id and label of each file in `photos`. `which`: "largest" or "central" face. Faces
    beyond `limits` are flagged; a photo with a flag that is in `drop` is left out.
    What `scratch` has of an earlier run is not computed again, see `stages.common.reuse`.
    Raises `UserError` if a class has no photo with a face.
    """
    files = {path.stem: path for path in photos.iterdir()}
    detector = _entry(weights)
    network = [weights / detector["file"]] if detector["file"] else []
    made_by = {"geometry": vars(geometry), "which": which, "min_score": min_score}
    results = reuse(
        _one,
        [files[photo["id"]] for photo in manifest],
        scratch,
        version(CODE, PACKAGES, network, detector=detector["name"], **made_by),
        desc="faces",
        initializer=_start,
        initargs=(weights, min_score, which, geometry),
        workers=workers,
    )
    rows = []
    for photo, made in zip(manifest, results, strict=True):
        row = dict.fromkeys(COLUMNS, "") | {"id": photo["id"], "label": photo["label"]}
        row |= made.row
        if row["kept"]:
            found = flags(row, limits)
            row["flags"] = " ".join(found)
            if unwanted := [flag for flag in found if flag in drop]:
                row |= {"kept": 0, "reason": f"flagged: {', '.join(unwanted)}"}
            else:
                made.link(out / f"{row['id']}.png")
        rows.append(row)
    for label in sorted({row["label"] for row in rows}):
        of_class = [row for row in rows if row["label"] == label]
        if not any(row["kept"] for row in of_class):
            reasons = ", ".join(sorted({row["reason"] for row in of_class}))
            raise UserError(
                f"class {label!r}: a face was found in none of its {len(of_class)} photos "
                f"({reasons}). Look at the photos, or change extract.detector, extract.min_score "
                "or extract.drop"
            )
    return rows


def _start(weights: Path, min_score: float, which: str, geometry: Geometry) -> None:
    global _detector, _which, _geometry
    _detector = load_detector(weights, min_score)
    _which, _geometry = which, geometry


def _one(photo: Path, picture: Path) -> dict:
    row = {"kept": 0, "detector": _detector.name, "faces": 0}
    try:
        image = decode(photo.read_bytes())
    except BadImage as error:
        return row | {"reason": str(error)}
    faces = _detector.detect(image)
    if not faces:
        return row | {"reason": "no face found"}
    face = choose(faces, _which, image.shape)
    square = crop(image, face, _geometry)
    write_png(picture, square)
    x, y, w, h = (round(float(value), 1) for value in face.box)
    marks = "" if face.landmarks is None else json.dumps(face.landmarks.round(1).tolist())
    return row | {
        "kept": 1,
        "score": round(float(face.score), 4),
        **{"x": x, "y": y, "w": w, "h": h},
        "landmarks": marks,
        "faces": len(faces),
        **measure(square, face, _geometry),
    }
