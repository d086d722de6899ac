"""python -m benchmarks.fit_grabcut PHOTOS: fit the weights in stages/matte/grabcut.py.

PHOTOS holds matting/image and matting/mask. Prints the weights fitted on all faces found there, and
the mean IoU of cross-validation: `ROUNDS` times, the faces are divided into two halves at random,
and each half is cut out with the weights fitted on the other.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from benchmarks.mattes import FACE_WIDTH, SIZE, Portrait, iou, portraits
from stages.extract.crop import Geometry
from stages.matte import grabcut

ROUNDS = 5
SAMPLE = 1500  # pixels of each picture


def fit(faces: list[Portrait], rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Weights and constant of the logistic regression on a sample of the pixels of `faces`."""
    side = grabcut.SIDE
    rows, answers = [], []
    for face in faces:
        chosen = rng.choice(side * side, SAMPLE, replace=False)
        small = cv2.resize(face.crop, (side, side), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(face.mask, (side, side), interpolation=cv2.INTER_AREA) > 127
        rows.append(grabcut.evidence(small, PRIOR).reshape(side * side, -1)[chosen])
        answers.append(mask.ravel()[chosen])
    scale = StandardScaler().fit(np.concatenate(rows))
    model = LogisticRegression(C=0.1, max_iter=500)
    model.fit(scale.transform(np.concatenate(rows)), np.concatenate(answers))
    weights = model.coef_[0] / scale.scale_
    return weights, float(model.intercept_[0] - weights @ scale.mean_)


def score(face: Portrait, weights: np.ndarray, constant: float) -> float:
    grabcut.WEIGHTS, grabcut.CONSTANT = weights, constant
    return iou(grabcut.cut(face.crop, PRIOR), face.mask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    faces = portraits(parser.parse_args().photos)
    large = np.array([face.large for face in faces])
    rng = np.random.default_rng(0)
    means = []
    for _ in range(ROUNDS):
        half = rng.permutation(len(faces)) % 2
        scores = np.empty(len(faces))
        for number in (0, 1):
            fitted = fit([face for face, h in zip(faces, half, strict=True) if h != number], rng)
            for i in np.flatnonzero(half == number):
                scores[i] = score(faces[i], *fitted)
        means.append((scores[large].mean(), scores[~large].mean()))
    portrait, rest = zip(*means, strict=True)
    each = ", ".join(f"{mean:.3f}" for mean in portrait)
    print(
        f"two halves, {ROUNDS} times: portraits {np.mean(portrait):.3f} (target >= 0.84; each "
        f"{each}), rest {np.mean(rest):.3f}"
    )
    weights, constant = fit(faces, rng)
    scores = np.array([score(face, weights, constant) for face in faces])
    print(f"fitted on all: portraits {scores[large].mean():.3f}, rest {scores[~large].mean():.3f}")
    print("WEIGHTS =", [round(float(weight), 3) for weight in weights])
    print("CONSTANT =", round(constant, 3))


PRIOR = grabcut.prior(Geometry(SIZE, FACE_WIDTH).eyes / SIZE)

if __name__ == "__main__":
    main()
