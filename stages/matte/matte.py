"""Face crops -> RGBA cut-outs, and a row for every face."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd

from stages.common.images import read_png, write_png
from stages.common.parallel import map_cores

COLUMNS = ["id", "label", "session", "coverage", "kept", "reason"]
NOTHING_LEFT = 0.05  # share of the crop; a face alone is several times that


def load_session(weights: Path, faces: Path) -> "rembg.sessions.base.BaseSession | None":  # noqa: F821
    """The session that the folder's `weights.json` names; None for `none`.

    `faces`: the folder whose `geometry.json` says where the faces stand.
    """
    entry = json.loads((weights / "weights.json").read_text(encoding="utf-8"))["segmenter"]
    if entry["name"] == "none":
        return None
    if entry["name"] == "grabcut":
        from stages.matte.grabcut import GrabCut

        place = json.loads((faces / "geometry.json").read_text(encoding="utf-8"))
        return GrabCut(place["size"], np.array(place["eyes"]))
    os.environ["U2NET_HOME"] = str(weights.resolve())  # where rembg then finds <name>.onnx
    import onnxruntime
    import rembg

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one process a core already
    return rembg.new_session(entry["name"], sess_opts=options, providers=["CPUExecutionProvider"])


def cut_out(image: np.ndarray, session: object | None) -> np.ndarray:
    """(H, W, 3) `uint8` RGB -> (H, W, 4) RGBA; the photo's colours stay, alpha says person."""
    if session is None:
        alpha = np.full(image.shape[:2], 255, np.uint8)
    else:
        import rembg

        alpha = rembg.remove(image, session=session, only_mask=True)
    return np.dstack([image, alpha])


def matte(
    faces: pd.DataFrame, folder: Path, weights: Path, out: Path, *, workers: int | None = None
) -> pd.DataFrame:
    """Write an RGBA PNG into `out` for each kept face; return `mattes.csv`, a row a kept face.

    `faces`: id, label and kept of the crops in `folder`/images. A cut-out that covers less than
    `NOTHING_LEFT` of the crop is not kept.
    """
    jobs = [(row.id, row.label) for row in faces.itertuples() if int(row.kept)]
    rows = map_cores(
        _one,
        jobs,
        desc="mattes",
        total=len(jobs),
        initializer=_start,
        initargs=(weights, folder, out),
        workers=workers,
    )
    return pd.DataFrame(rows, columns=COLUMNS)


def _start(weights: Path, faces: Path, out: Path) -> None:
    global _session, _faces, _out
    _session = load_session(weights, faces)
    _faces, _out = faces, out


def _one(job: tuple[str, str]) -> dict:
    face_id, label = job
    cutout = cut_out(read_png(_faces / "images" / f"{face_id}.png"), _session)
    coverage = cutout[..., 3].mean() / 255
    row = {
        "id": face_id,
        "label": label,
        "session": _session.model_name if _session else "none",
        "coverage": round(coverage, 4),
    }
    if coverage < NOTHING_LEFT:
        return row | {"kept": 0, "reason": "almost nothing left of the person"}
    write_png(_out / f"{face_id}.png", cutout, stored=True)  # each augmentation reads it again
    return row | {"kept": 1, "reason": _doubt(coverage) if _session else ""}


def _doubt(coverage: float) -> str:
    """A quality flag for people; the cut-out is kept."""
    if coverage < 0.1:
        return "little left of the person"
    if coverage > 0.95:
        return "almost no background found"
    return ""
