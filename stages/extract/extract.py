"""Photos -> face crops in one geometry, and a row for every photo."""

import json
from pathlib import Path

import pandas as pd

from stages.common.errors import UserError
from stages.common.images import BadImage, decode, write_png
from stages.common.parallel import map_cores
from stages.extract.crop import Geometry, crop
from stages.extract.face import Detector, choose
from stages.extract.haar import Haar
from stages.extract.yunet import YuNet

COLUMNS = [
    "id",
    "label",
    "kept",
    "reason",
    "detector",
    "score",
    "x",
    "y",
    "w",
    "h",
    "landmarks",
    "faces",
]


def load_detector(weights: Path, min_score: float) -> Detector:
    """The detector that the folder's `weights.json` names."""
    entry = json.loads((weights / "weights.json").read_text(encoding="utf-8"))["detector"]
    if entry["name"] == "yunet":
        return YuNet(weights / entry["file"], min_score)
    return Haar()


def extract(
    manifest: pd.DataFrame,
    photos: Path,
    weights: Path,
    out: Path,
    geometry: Geometry,
    *,
    which: str,
    min_score: float,
    workers: int | None = None,
) -> pd.DataFrame:
    """Write a PNG into `out` for each photo with a face; return `faces.csv`, a row a photo.

    `manifest`: id and label of the files in `photos`. `which`: "largest" or "central" face.
    Raises `UserError` if a class has no photo with a face.
    """
    files = {path.stem: path for path in photos.iterdir()}
    jobs = [(files[row.id], row.id, row.label) for row in manifest.itertuples()]
    rows = map_cores(
        _one,
        jobs,
        desc="faces",
        total=len(jobs),
        initializer=_start,
        initargs=(weights, min_score, which, geometry, out),
        workers=workers,
    )
    faces = pd.DataFrame(rows, columns=COLUMNS)
    for label, of_class in faces.groupby("label"):
        if not of_class.kept.any():
            raise UserError(
                f"class {label!r}: a face was found in none of its {len(of_class)} photos "
                f"({', '.join(sorted(set(of_class.reason)))}). Look at the photos, or change "
                "extract.detector or extract.min_score"
            )
    return faces


def _start(weights: Path, min_score: float, which: str, geometry: Geometry, out: Path) -> None:
    global _detector, _which, _geometry, _out
    _detector = load_detector(weights, min_score)
    _which, _geometry, _out = which, geometry, out


def _one(job: tuple[Path, str, str]) -> dict:
    path, photo_id, label = job
    row = dict.fromkeys(COLUMNS, "")
    row |= {"id": photo_id, "label": label, "kept": 0, "detector": _detector.name, "faces": 0}
    try:
        image = decode(path.read_bytes())
    except BadImage as error:
        return row | {"reason": str(error)}
    faces = _detector.detect(image)
    if not faces:
        return row | {"reason": "no face found"}
    face = choose(faces, _which, image.shape)
    write_png(_out / f"{photo_id}.png", crop(image, face, _geometry))
    x, y, w, h = (round(value, 1) for value in face.box)
    marks = "" if face.landmarks is None else json.dumps(face.landmarks.round(1).tolist())
    return row | {
        "kept": 1,
        "score": round(face.score, 4),
        "x": x,
        "y": y,
        "w": w,
        "h": h,
        "landmarks": marks,
        "faces": len(faces),
    }
