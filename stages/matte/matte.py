"""Face crops -> RGBA cut-outs, and a row for every face."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from stages.common import images
from stages.common.images import read_png, write_png
from stages.common.reuse import reuse, version
from stages.records.params import CutoutQuality, Onnx

COLUMNS = ["id", "label", "session", "coverage", "kept", "reason", "flags"]
NOTHING_LEFT = 0.05  # share of the crop; a face alone is several times that
CODE = [*Path(__file__).parent.glob("*.py"), Path(images.__file__)]
PACKAGES = ["rembg", "onnxruntime", "opencv-python-headless", "numpy", "pillow"]


def load_session(
    weights: Path,
    faces: Path,
    onnx: Onnx | None,
) -> "rembg.sessions.base.BaseSession | None":  # noqa: F821
    """The session that the folder's `weights.json` names; None for `none`.

    `faces`: the folder whose `geometry.json` says where the faces stand. `onnx`: what the session
    `onnx` runs.
    """
    # rembg imports a library that else compiles code, for half a second, that we never call
    os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
    entry = _entry(weights)
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
    if entry["name"] == "onnx":
        from stages.matte.onnx import OnnxSession

        return OnnxSession(weights / entry["file"], onnx, options)
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
    faces: Sequence[Mapping],
    folder: Path,
    weights: Path,
    out: Path,
    *,
    onnx: Onnx | None = None,
    limits: CutoutQuality,
    drop: Sequence[str] = (),
    scratch: Path,
    workers: int | None = None,
) -> list[dict]:
    """Write an RGBA PNG into `out` for each kept face; return `mattes.csv`, a row a kept face.

    `faces`: id, label and kept of each of the crops in `folder`/images. A cut-out that covers less
    than `NOTHING_LEFT` of the crop is not kept; one beyond `limits` is flagged, and left out where
    `drop` names the flag. What `scratch` has of an earlier run is not computed again, see
    `stages.common.reuse`.
    """
    entry = _entry(weights)
    kept = [row for row in faces if int(row["kept"])]
    decisive = [folder / "geometry.json"] + ([weights / entry["file"]] if entry["file"] else [])
    settings = onnx.model_dump() if entry["name"] == "onnx" else None
    results = reuse(
        _one,
        [folder / "images" / f"{row['id']}.png" for row in kept],
        scratch,
        version(CODE, PACKAGES, decisive, session=entry["name"], onnx=settings),
        desc="mattes",
        initializer=_start,
        initargs=(weights, folder, onnx),
        workers=workers,
    )
    rows = []
    for face, made in zip(kept, results, strict=True):
        row = {"id": face["id"], "label": face["label"], **made.row}
        row |= {"kept": 0, "reason": "", "flags": ""}
        found = [] if entry["name"] == "none" else flags(row["coverage"], limits)
        if row["coverage"] < NOTHING_LEFT:
            row["reason"] = "almost nothing left of the person"
        elif unwanted := [flag for flag in found if flag in drop]:
            row |= {"reason": f"flagged: {', '.join(unwanted)}", "flags": " ".join(found)}
        else:
            made.link(out / f"{row['id']}.png")
            row |= {"kept": 1, "flags": " ".join(found)}
        rows.append(row)
    return rows


def flags(coverage: float, limits: CutoutQuality) -> list[str]:
    """The names of what is odd about a cut-out that covers this share of its crop."""
    if coverage < limits.small:
        return ["small"]
    return ["large"] if coverage > limits.large else []


def _entry(weights: Path) -> dict:
    return json.loads((weights / "weights.json").read_text(encoding="utf-8"))["segmenter"]


def _start(weights: Path, faces: Path, onnx: Onnx | None) -> None:
    global _session
    _session = load_session(weights, faces, onnx)


def _one(face: Path, picture: Path) -> dict:
    cutout = cut_out(read_png(face), _session)
    write_png(picture, cutout, stored=True)  # each augmentation reads it again
    return {
        "session": _session.model_name if _session else "none",
        "coverage": round(float(cutout[..., 3].mean()) / 255, 4),
    }
