"""Drawn portraits, for trying the pipeline without photos.

Each shows a person with an identity and a class that can be seen in the face. The truth that real
photos lack is known: face box, person mask, and who it is.

The backgrounds of the training part mostly depend on the class, and those of the wild part never
do. A model that learns the background therefore fails on the wild part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stages.collect.synthetic.background import TRAIN, WILD, background
from stages.collect.synthetic.person import SIGNALS, person, typical_age
from stages.collect.synthetic.render import Pose, portrait

__all__ = ["SIGNALS", "Photo", "Spec", "draw", "plan", "years"]

TIED = 0.8  # share of training backgrounds that depend on the class
GOLDEN = 2.39996  # golden angle in radians: steps of it give distinct hues, however many


@dataclass(frozen=True)
class Photo:
    """A drawn photo with its truth."""

    name: str  # unique: "label/p03__2.jpg", or "wild/label/p12__1.jpg" in the wild part
    image: np.ndarray  # (size, size, 3) uint8 RGB
    label: str
    person: str  # unique over classes and parts
    part: str  # "train" or "wild"
    box: tuple[int, int, int, int]  # the face's x, y, w, h in pixels
    mask: np.ndarray  # (size, size) uint8, 255 = person; values between 0 and 255 at the edge


@dataclass(frozen=True)
class Spec:
    """Everything needed to draw one photo."""

    name: str
    label: str
    person: str
    part: str
    signal: str
    rank: int  # the class's place among the classes
    classes: int
    size: int  # pixels, width and height
    person_seed: tuple[int, ...]
    photo_seed: tuple[int, ...]


def plan(
    classes: Sequence[str],
    *,
    signal: str,
    people: int,
    photos: int,
    wild: int,
    size: int,
    seed: int,
) -> list[Spec]:
    """What to draw, in the order of the classes.

    For training, each class has `people` persons with `photos` photos each. For the wild part, it
    has `wild` photos of other persons, two of each. With "age" the classes go from young to old,
    with "undertone" from cool to warm. Raises ValueError for an unknown signal, and for more than
    15 "geometry" classes.
    """
    if signal not in SIGNALS:
        raise ValueError(f"unknown signal {signal!r}: not one of {', '.join(SIGNALS)}")
    if signal == "geometry" and len(classes) > 15:
        raise ValueError(f"signal 'geometry' has at most 15 classes, not {len(classes)}")
    shots = [("train", i, j) for i in range(people) for j in range(photos)]
    shots += [("wild", people + k // 2, k % 2) for k in range(wild)]
    return [
        Spec(
            name=f"{'wild/' if part == 'wild' else ''}{label}/p{who:02d}__{shot}.jpg",
            label=label,
            person=f"{label}-{who:02d}",
            part=part,
            signal=signal,
            rank=rank,
            classes=len(classes),
            size=size,
            person_seed=(seed, rank, who),
            photo_seed=(seed, rank, who, 1 + shot),  # 1 +: numpy ignores a trailing 0
        )
        for rank, label in enumerate(classes)
        for part, who, shot in shots
    ]


def draw(spec: Spec) -> Photo:
    """Draw one photo. The same spec gives the same bytes, in any process and order."""
    rng = np.random.default_rng(spec.photo_seed)
    who = person(spec.signal, spec.rank, spec.classes, np.random.default_rng(spec.person_seed))
    rgb, alpha, box = portrait(who, Pose.random(rng), spec.size, rng)
    image = rgb + _backdrop(spec, rng) * cv2.merge([1 - alpha] * 3)
    mask = np.round(alpha * 255).astype(np.uint8)
    image = _camera(image, spec.part == "wild", rng)
    return Photo(spec.name, image, spec.label, spec.person, spec.part, box, mask)


def years(spec: Spec, first: float, last: float) -> float:
    """The age of the person of an "age" `spec`, in a class from `first` to `last` years.

    The scale is linear: the typical age of the class is the middle of its years, and the point
    halfway to the typical age of the next class is their end. Ages beyond that are clipped.
    """
    who = person(spec.signal, spec.rank, spec.classes, np.random.default_rng(spec.person_seed))
    typical, other = (typical_age(rank, spec.classes) for rank in (spec.rank, spec.rank + 1))
    place = 0.5 + (who.age - typical) / (other - typical)
    return first + (last - first) * float(np.clip(place, 0, 1))


def _backdrop(spec: Spec, rng: np.random.Generator) -> np.ndarray:
    """The background, (size, size, 3) float32 RGB 0..255: random, or for `TIED` of the training
    photos given by the class."""
    motifs = WILD if spec.part == "wild" else TRAIN
    motif, hue = motifs[rng.integers(len(motifs))], rng.uniform(0, 2 * np.pi)
    if spec.part == "train" and rng.random() < TIED:
        motif, hue = TRAIN[spec.rank % len(TRAIN)], spec.rank * GOLDEN
    return background(motif, hue, spec.size, rng)


def _camera(image: np.ndarray, wild: bool, rng: np.random.Generator) -> np.ndarray:
    """A scene as a camera takes it: float32 RGB 0..255 -> uint8.

    White balance, exposure and noise vary; in the wild part they vary more, and contrast, vignette
    and softness are added.
    """
    size = len(image)
    warm, tint = rng.normal(0, 0.026 if wild else 0.02, 2)
    gain = np.exp([warm, tint / 2, -warm]) * rng.uniform(0.86, 1.12)
    image = image * gain.astype(np.float32)
    if wild:
        image = (image - 118) * np.float32(rng.uniform(0.8, 1.15)) + 118
        ramp = np.linspace(-1, 1, size, dtype=np.float32) ** 2
        image *= 1 - np.float32(rng.uniform(0, 0.22)) * (ramp + ramp[:, None])[..., None]
        small = int(size * rng.uniform(0.5, 0.9))
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = cv2.resize(image, (size, size), interpolation=cv2.INTER_LINEAR)
    noise = rng.standard_normal((size, size), np.float32)
    noise *= np.float32(rng.uniform(4, 8) if wild else rng.uniform(1, 3.5))
    image += cv2.merge([noise] * 3)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)
