"""The detector and the segmenter: which ones this machine can run, and their files."""

import logging
from pathlib import Path

from stages.common.errors import UserError
from stages.records.weights import Weight
from stages.weights.find import Found, Places, Unavailable, find, find_local, in_local, keep
from stages.weights.known import HAAR, SEGMENTERS, YUNET, Published
from stages.weights.rembg_models import find_rembg

log = logging.getLogger(__name__)


def detector(name: str, places: Places, folder: Path) -> Weight:
    """Copy the detector's file into `folder`. `name`: auto, yunet or haar.

    Raises `UserError` for yunet if it cannot be had; `auto` then is haar, and a note says why.
    """
    if name == "haar":
        return keep("haar", _haar(), folder)
    try:
        return keep("yunet", _yunet(places), folder)
    except Unavailable as why:
        if name == "yunet":
            raise _cannot("extract.detector", name, YUNET[0], why) from why
        note = _fell_back("extract.detector", "yunet", "haar", YUNET[0].file, why)
        return keep("haar", _haar(), folder, note)


def segmenter(name: str, places: Places, folder: Path, onnx_file: str | None = None) -> Weight:
    """Copy the segmenter's file, if it has one, into `folder`.

    `name`: auto, selfie, grabcut, none, onnx (which is `onnx_file` in the user's folder) or the
    name of a rembg model. Raises `UserError` for a named one that cannot be had. `auto` is selfie,
    or grabcut if that cannot be had, and a note says why.
    """
    if name in ("grabcut", "none"):
        return _built_in(name)
    if name == "auto":
        return _selfie_or_grabcut(places, folder)
    if name == "onnx":
        return keep(name, _onnx(onnx_file, places), folder)
    try:
        found = find(SEGMENTERS[name], places) if name in SEGMENTERS else find_rembg(name, places)
    except Unavailable as why:
        raise _cannot("matte.session", name, SEGMENTERS.get(name), why) from why
    return keep(name, found, folder)


def _haar() -> Found:
    from cv2.data import haarcascades

    return Path(haarcascades) / HAAR, "opencv wheel"


def _yunet(places: Places) -> Found:
    for edition in YUNET:
        if path := find_local(edition, places):
            return path, "local folder"
    reasons = []
    for edition in YUNET:
        try:
            return find(edition, places)
        except Unavailable as why:
            reasons.append(why)
    raise reasons[0]


def _selfie_or_grabcut(places: Places, folder: Path) -> Weight:
    # On face crops the small models of rembg are worse than both (docs/numbers.md).
    selfie = SEGMENTERS["selfie"]
    try:
        return keep("selfie", find(selfie, places), folder)
    except Unavailable as why:
        note = _fell_back("matte.session", "selfie", "grabcut", selfie.file, why)
        return _built_in("grabcut", note)


def _onnx(file: str | None, places: Places) -> Found:
    path = in_local(file, places) if file else None
    if path is None:
        raise UserError(
            f"matte.onnx.file: there is no {file} in weights.local ({places.local}); put it there, "
            "or correct the name"
        )
    return path, "local folder"


def _built_in(name: str, note: str | None = None) -> Weight:
    return Weight(name=name, file=None, sha256=None, source="built in", note=note)


def _fell_back(key: str, wanted: str, instead: str, file: str, why: Unavailable) -> str:
    note = (
        f"{key} auto: {instead} instead of {wanted}, as {why}; put {file} in weights.local, and "
        "run `dvc repro -f weights`"
    )
    log.warning("%s", note)
    return note


def _cannot(key: str, name: str, weight: Published | None, why: Unavailable) -> UserError:
    file = f"{weight.file} ({weight.url})" if weight else f"{name}.onnx"
    return UserError(
        f"{key}: {name!r} cannot be had: {why}. Put {file} in a folder and name that folder in "
        f"weights.local, or set {key} to auto"
    )
