"""Copies of a picture are known by its fingerprint, and other people's portraits are not copies."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.collect.fingerprint import copies, fingerprint, signs
from stages.collect.synthetic import draw, plan


@pytest.fixture(scope="module")
def portraits():
    specs = plan(["a"], signal="geometry", people=8, photos=1, wild=0, size=200, seed=3)
    return [draw(spec).image for spec in specs]


def known(*images):
    return np.array([signs(fingerprint(image)) for image in images])


def turned(image, degrees):
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(image, matrix, (width, height))


def framed(image, width, colour):
    return cv2.copyMakeBorder(image, *[width] * 4, cv2.BORDER_CONSTANT, value=colour)


def encoded_again(image):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1)


NINE = {
    "encoded again": encoded_again,
    "smaller": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "mirrored": lambda image: image[:, ::-1].copy(),
    "cropped to 90 %": lambda image: image[10:-10, 10:-10].copy(),
    "framed": lambda image: cv2.copyMakeBorder(
        image, *[20] * 4, cv2.BORDER_CONSTANT, value=3 * [255]
    ),
    "turned by 3 degrees": lambda image: turned(image, 3),
    "brighter": lambda image: cv2.convertScaleAbs(image, alpha=1.1, beta=20),
    "tinted": lambda image: np.clip(image * [1.15, 1, 0.8], 0, 255).astype(np.uint8),
    "grey": lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
}


@pytest.mark.parametrize("variant", NINE)
def test_a_copy_is_known_however_it_was_made(portraits, variant):
    for image in portraits[:3]:
        assert copies(NINE[variant](image), known(image))


@settings(max_examples=25)
@given(
    st.sampled_from(range(8)),
    st.booleans(),
    st.floats(-4, 4),
    st.tuples(*[st.floats(0, 0.06)] * 4),
    st.integers(0, 16),
)
def test_a_copy_is_known_after_all_of_it_together(portraits, who, mirror, turn, cut, frame):
    """Mirrored, turned, cut at each side and framed."""
    image = portraits[who]
    side = len(image)
    top, bottom, left, right = (round(share * side) for share in cut)
    copy = turned(image, turn)[top : side - bottom, left : side - right]
    copy = framed(copy, frame, (20, 90, 20))
    assert copies(copy[:, ::-1].copy() if mirror else copy, known(image))


def test_other_people_are_no_copies(portraits):
    for number, image in enumerate(portraits):
        assert not copies(image, known(*portraits[:number], *portraits[number + 1 :]))


@pytest.mark.parametrize("shape", [(16, 16), (16, 900), (3000, 40)])
def test_any_shape_and_no_contrast_at_all(portraits, shape):
    flat = np.full((*shape, 3), 127, np.uint8)
    assert len(fingerprint(flat)) == 64 and not copies(flat, known(portraits[0]))
