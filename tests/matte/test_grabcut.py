import cv2
import numpy as np
import pytest

from stages.collect.synthetic import draw, plan
from stages.extract.crop import Geometry, crop
from stages.extract.face import choose
from stages.extract.haar import Haar
from stages.matte import grabcut
from tests.weights_folder import CASCADE

GEOMETRY = Geometry(128, 0.5)
PRIOR = grabcut.prior(GEOMETRY.eyes / GEOMETRY.size)


def iou(alpha, mask):
    a, b = alpha > 127, mask > 127
    return (a & b).sum() / (a | b).sum()


@pytest.fixture(scope="module")
def crops():
    """Drawn portraits and their true masks, in our crop geometry."""
    detector, result = Haar(CASCADE), []
    for spec in plan(["a", "b"], signal="age", people=4, photos=2, wild=2, size=256, seed=3):
        photo = draw(spec)
        if faces := detector.detect(photo.image):
            face = choose(faces, "largest", photo.image.shape)
            mask = np.dstack([photo.mask] * 3)
            result.append((crop(photo.image, face, GEOMETRY), crop(mask, face, GEOMETRY)[..., 0]))
    assert len(result) >= 18
    return result


@pytest.mark.slow
def test_drawn_portraits(crops):
    session = grabcut.GrabCut(GEOMETRY.size, GEOMETRY.eyes)
    scores = [iou(grabcut.cut(image, session._prior), mask) for image, mask in crops]
    prior = cv2.resize(session._prior, (GEOMETRY.size, GEOMETRY.size))
    shape_alone = [iou(np.uint8(255 * (prior > 0.5)), mask) for _, mask in crops]
    assert np.mean(scores) > 0.82
    assert np.median(scores) > 0.9
    assert np.mean(scores) > np.mean(shape_alone) + 0.05  # the colours are looked at


def test_prior_stands_on_the_eyes_and_grows_with_the_face():
    small, large = (grabcut.prior(Geometry(128, width).eyes / 128) for width in (0.35, 0.7))
    assert small.sum() < large.sum()
    eyes = (Geometry(128, 0.35).eyes / 128 * grabcut.SIDE).round().astype(int)
    assert (small[eyes[:, 1], eyes[:, 0]] > 0.9).all()
    assert small[0, 0] < 0.1


@pytest.mark.slow
def test_same_picture_same_alpha_whatever_came_before(crops):
    first = grabcut.cut(crops[0][0], PRIOR)
    grabcut.cut(crops[1][0], PRIOR)
    np.testing.assert_array_equal(grabcut.cut(crops[0][0], PRIOR), first)


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_plain_picture_gives_the_prior_shape(grey):
    alpha = grabcut.cut(np.full((64, 64, 3), grey, np.uint8), PRIOR)
    assert alpha.shape == (64, 64)
    assert alpha.dtype == np.uint8
    assert alpha[32, 32] == 255


def test_edge_is_soft(crops):
    alpha = grabcut.cut(crops[0][0], PRIOR)
    assert 0.005 < ((alpha > 20) & (alpha < 235)).mean() < 0.2
