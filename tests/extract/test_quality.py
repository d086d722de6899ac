"""Each flag on a picture with that fault planted, and none on the same picture without it."""

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from stages.collect.synthetic import draw, plan
from stages.extract.crop import Geometry, crop
from stages.extract.face import Face, choose
from stages.extract.haar import Haar
from stages.extract.quality import flags, measure
from tests.extract.test_extract import LIMITS
from tests.weights_folder import CASCADE

GEOMETRY = Geometry(128, 0.5)
NOSE = np.array([[0, 0], [1, 0], [0.5, 0.6], [0.1, 1.05], [0.9, 1.05]])  # in eye distances


@pytest.fixture(scope="module")
def portrait():
    [spec] = plan(["x"], signal="age", people=1, photos=1, wild=0, size=320, seed=4)
    return draw(spec).image


def row(image, *, edit=None, landmarks=None, faces=1, **changes):
    """What `faces.csv` would say of a portrait whose crop is edited."""
    face = choose(Haar(CASCADE).detect(image), "largest", image.shape)
    if landmarks is not None:
        face = Face(face.box, face.score, landmarks[:2], landmarks)
    square = crop(image, face, GEOMETRY)
    measures = measure(edit(square) if edit else square, face, faces, GEOMETRY)
    return replace(measures, **changes)


def test_a_good_portrait_has_no_flag(portrait):
    assert flags(row(portrait), LIMITS) == ()


def duotone(picture):
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None] / 255
    return np.uint8(grey * (255, 60, 60))


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda p: cv2.GaussianBlur(p, (0, 0), 4), {"blur"}),
        (lambda p: cv2.merge([cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)] * 3), {"monochrome"}),
        (lambda p: np.uint8(p * (1, 0.2, 0.2)), {"tint"}),
        (duotone, {"tint"}),
        (lambda p: p // 6, {"dark"}),
        (lambda p: 255 - (255 - p) // 6, {"bright"}),
    ],
)
def test_planted_faults(portrait, edit, expected):
    found = set(flags(row(portrait, edit=edit), LIMITS))
    assert expected <= found
    assert not found & ({"tiny", "pose", "several"})


def test_size_company_and_pose(portrait):
    assert flags(row(portrait, w=20), LIMITS) == ("tiny",)
    assert flags(row(portrait, faces=2), LIMITS) == ("several",)
    assert flags(row(portrait, tilt=-50), LIMITS) == ("pose",)


@pytest.mark.parametrize(("nose", "expected"), [(0.5, 0), (0.95, 0.45), (0.05, 0.45)])
def test_turn_is_the_nose_beside_the_eyes_however_the_head_is_tilted(portrait, nose, expected):
    marks = NOSE.copy()
    marks[2, 0] = nose
    for degrees in (0, 25):
        turn = cv2.getRotationMatrix2D((0, 0), -degrees, 60)
        values = row(portrait, landmarks=marks @ turn[:, :2].T + 130)
        assert values.turn == pytest.approx(expected, abs=0.01)
        assert values.tilt == pytest.approx(degrees, abs=0.1)
        assert ("pose" in flags(values, LIMITS)) == (expected > LIMITS.turn)


def test_measures_do_not_depend_on_the_crop_size(portrait):
    face = choose(Haar(CASCADE).detect(portrait), "largest", portrait.shape)
    small, large = (
        measure(crop(portrait, face, g), face, 1, g)
        for g in (Geometry(128, 0.5), Geometry(320, 0.5))
    )
    for name in ("tint", "colours", "lightness"):
        assert getattr(small, name) == pytest.approx(getattr(large, name), abs=1)
