"""Numbers that tell people apart: what SFace makes of face crops.

They are biometric data: no stage writes them into an output. They live in memory and in the scratch
`.cache/identities/<task>`, which `python -m stages.collect.forget` says how to purge.
"""

import logging
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from stages.common.aligned import EYES, SIDE
from stages.common.closure import closure
from stages.common.images import read_png
from stages.common.reuse import reuse_arrays
from stages.common.version import version
from stages.records.faces import GEOMETRY, EyePlaces
from stages.records.folders import Folders, picture
from stages.records.weights import WEIGHTS

if TYPE_CHECKING:
    import pandas as pd

    from stages.records.params import Split

PACKAGES = ("opencv-python-headless", "numpy")
LEFT, RIGHT = (complex(*eye) for eye in EYES)

log = logging.getLogger(__name__)


def identities_for(at: Folders, params: "Split", photos: "pd.DataFrame") -> np.ndarray | None:
    """(n, 128) `float32` of `photos`, in order; None where nobody is to be told by the face.

    `photos`: columns id and person. Where every photo has a person, faces decide nothing. If
    SFace's weights are missing, one warning says what that means.
    """
    if params.keep_together == "shot" or params.same_face is None or (photos.person != "").all():
        return None
    weights = WEIGHTS.read(at.weights)
    network = weights.pretrained_files(at.weights).get("face")
    if network is None:
        log.warning(
            "who is on %d photos is not known, and faces cannot be compared (%s): one person may "
            "be in several parts, which makes exams look too good. split.same_face: null accepts "
            "that",
            (photos.person == "").sum(),
            weights.lacking(["face"])["face"],
        )
        return None
    crops = [picture(at.faces, id) for id in photos.id]
    return identities(crops, GEOMETRY.read(at.faces), network, at.cache("identities"))


def identities(
    crops: Sequence[Path],
    eyes: EyePlaces,
    network: Path,
    scratch: Path,
    *,
    workers: int | None = None,
) -> np.ndarray:
    """(n, 128) `float32` of length 1: the product of two is the faces' similarity, -1 to 1.

    `crops`: PNG files with the eyes at `eyes`. `network`: SFace's ONNX file. Results that
    `scratch` has of an earlier run are used again, see `stages.common.reuse`.
    """
    of = partial(_read, left=complex(*eyes.eyes[0]), right=complex(*eyes.eyes[1]), network=network)
    now = version(closure("stages.split.identities"), PACKAGES, [network], eyes=eyes.eyes)
    return reuse_arrays(of, crops, scratch, now, desc="who is who", workers=workers)[:]


def _read(crop: Path, *, left: complex, right: complex, network: Path) -> np.ndarray:
    face = window(read_png(crop), left, right)
    numbers = _network(network).feature(cv2.cvtColor(face, cv2.COLOR_RGB2BGR))[0]
    return numbers / np.linalg.norm(numbers)


def window(crop: np.ndarray, left: complex, right: complex) -> np.ndarray:
    """(H, W, 3) `uint8` -> (112, 112, 3): turned, scaled and moved so that the eyes, x + yi, are
    where SFace wants them. Beyond the crop its edge is repeated."""
    turn = (RIGHT - LEFT) / (right - left)
    shift = LEFT - turn * left
    matrix = np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
    return cv2.warpAffine(
        crop, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


@cache
def _network(file: Path) -> cv2.FaceRecognizerSF:
    """Once in each process."""
    return cv2.FaceRecognizerSF.create(str(file), "")
