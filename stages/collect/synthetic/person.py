"""One person: proportions, colours and hair, random around what the class sets."""

from dataclasses import dataclass

import numpy as np

from stages.collect.synthetic.canvas import lab, tint

SIGNALS = ("age", "undertone", "geometry")
FRONTS = ("swept", "fringe", "curtain", "up")
LENGTHS = ("short", "bob", "long")

# The proportions in which `geometry` classes differ, in half face widths (angles in radians): mean,
# standard deviation, and relative change in childhood and in old age. Children have large features
# in a round, short face; old age lengthens the nose and thins the lips.
GENES = {
    "eye_tilt": (0.07, 0.10, 0.0, 0.0),
    "brow_thick": (0.085, 0.028, -0.42, 0.0),
    "jaw": (0.765, 0.065, 0.09, 0.05),
    "eye_h": (0.122, 0.024, 0.45, -0.18),
    "mouth_w": (0.35, 0.055, -0.18, 0.0),
    "nose_w": (0.20, 0.032, -0.18, 0.14),
    "brow_tilt": (0.06, 0.11, 0.0, 0.0),
    "eye_gap": (0.445, 0.030, 0.06, 0.0),
    "face_l": (1.37, 0.075, -0.11, 0.02),
    "lip": (0.105, 0.028, 0.0, -0.30),
    "brow_arch": (0.07, 0.035, 0.0, 0.0),
    "nose_len": (0.53, 0.06, -0.34, 0.10),
    "eye_w": (0.235, 0.022, 0.22, 0.0),
    "brow_gap": (0.31, 0.035, -0.05, -0.05),
    "chin": (0.33, 0.07, -0.06, 0.10),
}


@dataclass(frozen=True)
class Person:
    """Everything that stays the same from photo to photo. Colours are float RGB 0..255."""

    shape: dict[str, float]  # GENES plus eye_y, cheek and (hair) volume
    age: float  # 0 child .. 1 old
    old: float  # 0 no wrinkles .. 1
    skin: np.ndarray
    lips: np.ndarray
    hair: np.ndarray
    brows: np.ndarray
    iris: np.ndarray
    front: str  # one of FRONTS
    length: str  # one of LENGTHS
    thinning: float  # 0 full hair .. 1 bald
    glasses: bool
    blush: float
    moles: np.ndarray  # (k, 2) places on the face
    spots: np.ndarray  # (9, 2) places of age spots, in the order in which they appear
    lines: np.ndarray  # (4, 2) width and depth of the forehead lines, lowest first


def prototypes() -> np.ndarray:
    """(15, 15) of +1 and -1: a row for each class, a column for each gene.

    The rows are those of a Hadamard matrix, so that any two classes differ in exactly eight genes.
    """
    h = np.ones((1, 1))
    for _ in range(4):
        h = np.block([[h, h], [h, -h]])
    return h[1:, 1:]


def typical_age(rank: int, classes: int) -> float:
    """0 child .. 1 old: the middle of class `rank` of `classes`, which go from young to old."""
    return 0.05 + 0.9 * (rank / max(classes - 1, 1))


def person(signal: str, rank: int, classes: int, rng: np.random.Generator) -> Person:
    """A random person of class `rank` of `classes`; `signal` says what the class determines."""
    step = rank / max(classes - 1, 1)
    z = 0.6 * np.clip(rng.standard_normal(len(GENES)), -2, 2)
    age, warmth = rng.uniform(0.28, 0.42), rng.normal(0, 0.35)
    front, length = rng.choice(FRONTS), rng.choice(LENGTHS)
    typical = rng.random() < 0.6
    if signal == "geometry":
        z += 0.95 * prototypes()[rank]
        if typical:
            front, length = FRONTS[rank % 4], LENGTHS[(rank + rank // 4) % 3]
    elif signal == "age":
        spread = rng.normal(0, 0.22) / max(classes, 3)
        age = float(np.clip(typical_age(rank, classes) + spread, 0, 1))
    else:
        warmth = 2 * step - 1 + np.clip(rng.normal(0, 0.6), -1.3, 1.3)
    child, old = np.clip((0.3 - age) / 0.25, 0, 1), np.clip((age - 0.44) / 0.5, 0, 1)

    shape = {"cheek": rng.normal(0.97, 0.015), "volume": rng.uniform(0.06, 0.16)}
    for value, (gene, (mean, deviation, young, aged)) in zip(z, GENES.items(), strict=True):
        shape[gene] = (mean + deviation * value) * (1 + young * child + aged * old)
    shape["eye_y"] = 0.22 * child

    skin = lab(rng.uniform(66, 79) + 3 * child - 3 * old, 14 - 2.5 * warmth, 16.5 + 6 * warmth)
    depth = rng.choice([9, 13, 20, 29, 39])  # black to light brown
    hair = lab(depth, 0.22 * depth + 2.5 * warmth, 0.36 * depth + (3 + 0.17 * depth) * warmth)
    brows, silver = tint(hair, 2), lab(rng.uniform(66, 82), warmth, 1 + 2 * warmth)
    grey = np.clip(rng.normal(1.25, 0.15) * old, 0, 1)
    thinning = np.clip(rng.normal(0.1, 0.5), 0, 1) * old
    cropped = thinning > 0.4 or rng.random() < 0.5 * old
    return Person(
        shape=shape,
        age=age,
        old=float(old),
        skin=skin,
        lips=tint(skin, -18 + 4 * old, 21 - 8 * old - 3 * warmth, -1 + 5 * warmth),
        hair=hair + (silver - hair) * grey,
        brows=brows + (silver - brows) * grey * 0.55,
        iris=lab(rng.uniform(22, 40), 5 + 3 * warmth, 3 + 12 * warmth),
        front=str(front),
        length="short" if cropped else str(length),
        thinning=float(thinning),
        glasses=bool(rng.random() < 0.12 + 0.15 * old),
        blush=float(rng.uniform(0.15, 0.4) + 0.3 * child),
        moles=rng.uniform([-0.7, -0.4], [0.7, 1.1], (rng.integers(0, 3), 2)),
        spots=rng.uniform([-0.8, -0.9], [0.8, 0.9], (9, 2)),
        lines=rng.uniform([0.4, 0.6], [0.62, 1.1], (4, 2)),
    )
