"""The whole chain: a photo's bytes in, the network's answer about the face out.

Each step is the stage's own function on the same arrays, so that a photo gets the answer here that
it got in the exam.
"""

import logging
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from stages.augment.render import prepare
from stages.common.errors import UserError
from stages.common.images import MAX_BYTES, BadImage, decode
from stages.extract.crop import Geometry, crop
from stages.extract.extract import load_detector
from stages.extract.face import Face, choose
from stages.extract.quality import Measures, measure
from stages.extract.quality import flags as face_flags
from stages.matte.matte import NOTHING_LEFT, coverage, cut_out, load_session
from stages.matte.matte import flags as cutout_flags
from stages.networks.lite import Lite
from stages.networks.predict import class_probabilities, outputs
from stages.records.calibration import CALIBRATION
from stages.records.chain import CHAIN, weights
from stages.records.flags import WORDS
from stages.records.predictions import UNSURE
from stages.records.shards import InMemory
from stages.records.trials import CLASSES, Outputs
from stages.records.weights import WEIGHTS

T = TypeVar("T")
log = logging.getLogger(__name__)


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
    flags: tuple[str, ...] = ()  # the warnings as names of `stages.records.flags`


class Seen:
    """A photo, and what chains have found on it: one that looks in the same way takes it over."""

    def __init__(self, image: np.ndarray) -> None:
        """`image`: (H, W, 3) `uint8` sRGB, upright."""
        self.image = image
        self._found: dict[Hashable, Any] = {}

    def once(self, how: Hashable, find: Callable[[], T]) -> T:
        """What `find` finds. `how`: all that decides it."""
        if how not in self._found:
            self._found[how] = find()
        return self._found[how]


@dataclass(frozen=True)
class View:
    """A face as a network gets to see it."""

    face: Face
    measures: Measures
    covered: float  # the person's share of the cut-out
    picture: np.ndarray  # uint8 (size, size, 3 or 1)


class Chain:
    """A promoted folder (`data/promote/<task>/champion`), loaded once, ready for any photo."""

    def __init__(self, folder: Path) -> None:
        """Raises `UserError` if `folder` lacks a part of the chain."""
        try:
            self.settings = CHAIN.read(folder)
            self.titles = CLASSES.read(folder)
            self._calibration = CALIBRATION.read(folder)
            extract = self.settings.extract
            self.geometry = Geometry(extract.size, extract.face_width)
            self._detector = load_detector(weights(folder), extract.min_score)
            self._session = load_session(weights(folder), folder, self.settings.matte.onnx)
            used = WEIGHTS.read(weights(folder))
            self._finds = used.detector, extract.min_score
            self._cuts = used.segmenter, self.settings.matte.onnx
            self._network = Lite(folder)
        except (OSError, ValueError, UserError) as error:
            raise UserError(
                f"{folder} is not a whole chain; run `dvc pull` or `dvc repro` ({error})"
            ) from error
        # Servers answer in threads, but OpenCV's networks and the memory take one photo at a time.
        self._lock = threading.RLock()

    def answer(self, photo: bytes) -> Answer:
        """The answer for a jpg, png or webp file's bytes. It never raises: what goes wrong with a
        photo is the reason that it has no answer."""
        try:
            return self.examine(photo)
        except Exception as error:
            log.warning("A photo of %d bytes gets no answer", len(photo), exc_info=error)
            return Answer(reason=f"cannot be examined ({type(error).__name__})")

    def examine(self, photo: bytes) -> Answer:
        """As `answer`, but raises what a library raises, so that a broken chain shows."""
        if len(photo) > MAX_BYTES:
            return Answer(reason=f"{len(photo)} bytes; at most {MAX_BYTES} are allowed")
        with self._lock:  # also while it is decoded: a few hundred kB can take a gigabyte
            try:
                seen = Seen(decode(photo))
            except BadImage as error:
                return Answer(reason=str(error))
            if not self.faces(seen):
                return Answer(reason="no face found")
            return self.about(seen, self.choose(seen))

    def faces(self, seen: Seen) -> list[Face]:
        """All faces on a photo, in the detector's order."""
        with self._lock:
            return seen.once(self._finds, lambda: self._detector.detect(seen.image))

    def choose(self, seen: Seen) -> Face:
        """The face that an answer is about unless another one is named; the photo must show one."""
        return choose(self.faces(seen), self.settings.extract.face, seen.image.shape)

    def about(self, seen: Seen, face: Face) -> Answer:
        """The answer about one of the photo's faces."""
        view = self.view(seen, face)
        measures, flags = view.measures, self._flags(view)
        box = measures.x, measures.y, measures.w, measures.h
        warnings = self._warnings(measures, flags)
        if view.covered < NOTHING_LEFT:
            reason = "almost nothing left of the person"
            return Answer(box=box, warnings=warnings, reason=reason, flags=flags)
        raw, values = self.outputs(view.picture[None])
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
            flags=flags,
        )

    def view(self, seen: Seen, face: Face) -> View:
        """One of the photo's faces as the network gets to see it."""
        key = id(face), self.geometry  # `seen` keeps the face, so that no other one has its id
        square = seen.once(key, lambda: crop(seen.image, face, self.geometry))
        with self._lock:
            cutout = seen.once((*key, self._cuts), lambda: cut_out(square, self._session))
        measures = measure(square, face, len(self.faces(seen)), self.geometry)
        return View(face, measures, coverage(cutout), prepare(cutout, self.settings.augment))

    def outputs(self, pictures: np.ndarray) -> Outputs:
        """What the network says of `View.picture`s, uint8 (N, size, size, 3 or 1)."""
        with self._lock:
            return outputs(self._network, InMemory(pictures), self.settings.kind)

    def _flags(self, view: View) -> tuple[str, ...]:
        found: tuple[str, ...] = face_flags(view.measures, self.settings.extract.quality)
        if self._session is not None:
            found += cutout_flags(view.covered, self.settings.matte.quality)
        return found

    def _warnings(self, face: Measures, flags: tuple[str, ...]) -> tuple[str, ...]:
        words = [WORDS[flag] for flag in flags if flag != "several"]
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
