"""Which detector and segmenter this machine can run, and their files."""

import logging
import shutil
from pathlib import Path

from stages.common.errors import UserError
from stages.weights.find import Places, Unavailable, find, find_local, in_local, sha256
from stages.weights.known import SEGMENTERS, YUNET, Weight
from stages.weights.rembg_models import find_rembg

log = logging.getLogger(__name__)

HAAR = "haarcascade_frontalface_alt2.xml"


def resolve(
    detector: str, session: str, places: Places, folder: Path, onnx_file: str | None = None
) -> dict:
    """Copy the weights into `folder`; return what `weights.json` records.

    `detector`: auto, yunet or haar; `session`: auto, grabcut, none, onnx (which is `onnx_file` in
    the user's folder) or the name of a rembg model.
    Returns {"detector": entry, "segmenter": entry}, an entry being name, file (or None), sha256
    (or None), from, and note (why `auto` fell back, or None).
    Raises `UserError` for an explicit choice that cannot be had.
    """
    return {
        "detector": _detector(detector, places, folder),
        "segmenter": _onnx(onnx_file, places, folder)
        if session == "onnx"
        else _segmenter(session, places, folder),
    }


def _detector(name: str, places: Places, folder: Path) -> dict:
    if name == "haar":
        return _haar(None)
    try:
        return _keep("yunet", *_yunet(places), folder)
    except Unavailable as why:
        if name == "yunet":
            raise _cannot("extract.detector", name, YUNET[0], why) from why
        return _haar(_fell_back("extract.detector", "yunet", "haar", YUNET[0].file, why))


def _segmenter(name: str, places: Places, folder: Path) -> dict:
    if name in ("grabcut", "none"):
        return _entry(name, None, None, "built in", None)
    if name == "auto":
        best = SEGMENTERS["u2net_human_seg"]  # 170 MB: used where there is one, not downloaded
        if path := find_local(best, places):
            return _keep("u2net_human_seg", path, "local folder", folder)
        small = SEGMENTERS["u2netp"]
        try:
            return _keep("u2netp", *find(small, places), folder)
        except Unavailable as why:
            note = _fell_back("matte.session", "u2netp", "grabcut", small.file, why)
            return _entry("grabcut", None, None, "built in", note)
    try:
        found = find(SEGMENTERS[name], places) if name in SEGMENTERS else find_rembg(name, places)
    except Unavailable as why:
        raise _cannot("matte.session", name, SEGMENTERS.get(name), why) from why
    return _keep(name, *found, folder)


def _onnx(file: str, places: Places, folder: Path) -> dict:
    path = in_local(file, places)
    if path is None:
        raise UserError(
            f"matte.onnx.file: there is no {file} in weights.local ({places.local}); put it there, "
            "or correct the name"
        )
    return _keep("onnx", path, "local folder", folder)


def _yunet(places: Places) -> tuple[Path, str]:
    for weight in YUNET:
        if path := find_local(weight, places):
            return path, "local folder"
    try:
        return find(YUNET[0], places)
    except Unavailable as first:
        try:
            return find(YUNET[1], places)
        except Unavailable:
            raise first from None


def _haar(note: str | None) -> dict:
    import cv2

    return _entry("haar", None, sha256(Path(cv2.data.haarcascades) / HAAR), "opencv wheel", note)


def _keep(name: str, path: Path, source: str, folder: Path) -> dict:
    shutil.copyfile(path, folder / path.name)
    return _entry(name, path.name, sha256(path), source, None)


def _entry(name: str, file: str | None, digest: str | None, source: str, note: str | None) -> dict:
    return {"name": name, "file": file, "sha256": digest, "from": source, "note": note}


def _fell_back(key: str, wanted: str, instead: str, file: str, why: Unavailable) -> str:
    note = f"{key} auto: {instead} instead of {wanted}, as {why}; put {file} in weights.local"
    log.warning("%s", note)
    return note


def _cannot(key: str, name: str, weight: Weight | None, why: Unavailable) -> UserError:
    file = f"{weight.file} ({weight.url})" if weight else f"{name}.onnx"
    return UserError(
        f"{key}: {name!r} cannot be had: {why}. Put {file} in a folder and name that folder in "
        f"weights.local, or set {key} to auto"
    )
