"""The whole chain: a photo's bytes in, the network's answer about the face out.

Each step is the stage's own function on the same arrays, so that a photo gets the answer here that
it got in the exam.
"""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stages.augment.render import prepare
from stages.common.backend import import_keras
from stages.common.errors import UserError
from stages.common.images import MAX_BYTES, BadImage, decode
from stages.extract.crop import Geometry, crop
from stages.extract.extract import load_detector
from stages.extract.face import choose
from stages.extract.quality import Measures, measure
from stages.extract.quality import flags as face_flags
from stages.matte.matte import NOTHING_LEFT, coverage, cut_out, load_session
from stages.matte.matte import flags as cutout_flags
from stages.networks.predict import class_probabilities, outputs
from stages.records.calibration import CALIBRATION
from stages.records.chain import CHAIN, weights
from stages.records.flags import WORDS
from stages.records.predictions import UNSURE
from stages.records.shards import InMemory
from stages.records.trials import CLASSES, MODEL


@dataclass(frozen=True)
class Answer:
    """The answer to one photo. If `label` is None there is no answer, and `reason` says why."""

    label: str | None = None  # the likeliest class
    title: str | None = None  # its name for people
    answer: str | None = None  # the label, or "unsure" where the confidence is too low
    confidence: float | None = None  # the label's calibrated probability
    value: float | None = None  # the number, e.g. years, of a network that tells one
    value_low: float | None = None  # 80 % of photos have their number between these two
    value_high: float | None = None
    probabilities: dict[str, float] = field(default_factory=dict)  # class: calibrated, sum 1
    box: tuple[float, float, float, float] | None = None  # x, y, width, height in upright pixels
    warnings: tuple[str, ...] = ()
    reason: str = ""


class Chain:
    """A promoted folder (`data/promote/<task>/champion`), loaded once, ready for any photo."""

    def __init__(self, folder: Path) -> None:
        """Raises `UserError` if `folder` lacks a part of the chain."""
        try:
            self.settings = CHAIN.read(folder)
            self.titles = CLASSES.read(folder)
            self._calibration = CALIBRATION.read(folder)
            extract = self.settings.extract
            self._geometry = Geometry(extract.size, extract.face_width)
            self._detector = load_detector(weights(folder), extract.min_score)
            self._session = load_session(weights(folder), folder, self.settings.matte.onnx)
            keras = import_keras()
            self._model = keras.saving.load_model(folder / MODEL, compile=False)
        except (OSError, ValueError, UserError) as error:
            raise UserError(
                f"{folder} is not a whole chain; run `dvc pull` or `dvc repro` ({error})"
            ) from error
        # Servers answer in threads, but OpenCV's networks take one photo at a time.
        self._lock = threading.Lock()

    def answer(self, photo: bytes) -> Answer:
        """The answer for a jpg, png or webp file's bytes; never raises for what they hold."""
        if len(photo) > MAX_BYTES:
            return Answer(reason=f"{len(photo)} bytes; at most {MAX_BYTES} are allowed")
        try:
            image = decode(photo)
        except BadImage as error:
            return Answer(reason=str(error))
        with self._lock:
            return self._answer(image)

    def _answer(self, image: np.ndarray) -> Answer:
        """`image`: (H, W, 3) `uint8` sRGB."""
        faces = self._detector.detect(image)
        if not faces:
            return Answer(reason="no face found")
        face = choose(faces, self.settings.extract.face, image.shape)
        square = crop(image, face, self._geometry)
        cutout = cut_out(square, self._session)
        measures, covered = measure(square, face, len(faces), self._geometry), coverage(cutout)
        box = measures.x, measures.y, measures.w, measures.h
        warnings = self._warnings(measures, covered)
        if covered < NOTHING_LEFT:
            reason = "almost nothing left of the person"
            return Answer(box=box, warnings=warnings, reason=reason)
        picture = prepare(cutout, self.settings.augment)
        raw, values = outputs(self._model, InMemory(picture[None]), self.settings.kind)
        probabilities = class_probabilities(raw, self._calibration)[0]
        best = int(probabilities.argmax())
        label, title = list(self.titles.items())[best]
        confidence = float(probabilities[best])
        value, low, high = _range(values, self._calibration.within)
        return Answer(
            label=label,
            title=title,
            answer=label if confidence >= self.settings.unsure_below else UNSURE,
            confidence=confidence,
            value=value,
            value_low=low,
            value_high=high,
            probabilities=dict(zip(self.titles, map(float, probabilities), strict=True)),
            box=box,
            warnings=warnings,
        )

    def _warnings(self, face: Measures, covered: float) -> tuple[str, ...]:
        found: tuple[str, ...] = face_flags(face, self.settings.extract.quality)
        if self._session is not None:
            found += cutout_flags(covered, self.settings.matte.quality)
        words = [WORDS[flag] for flag in found if flag != "several"]
        if face.faces > 1:
            which = self.settings.extract.face
            words.append(f"{face.faces} faces; the answer is about the {which} one")
        return tuple(words)


def _range(
    values: np.ndarray | None, within: float | None
) -> tuple[float | None, float | None, float | None]:
    """The number of one photo, and the ends of its range."""
    if values is None:
        return None, None, None
    value = float(values[0])
    return (value, None, None) if within is None else (value, value - within, value + within)
