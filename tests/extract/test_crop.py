import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.extract import haar
from stages.extract.crop import FACE_PER_EYES, Geometry, crop, transform
from stages.extract.face import Face, choose

GEOMETRY = Geometry(size=128, face_width=0.5)
# eyes, nose, mouth corners of a frontal face whose eyes are 1 apart and centred on 0, 0
FRONTAL = np.array([[-0.5, 0], [0.5, 0], [0, 0.6], [-0.4, 1.05], [0.4, 1.05]])


def face(landmarks):
    return Face((0, 0, 1, 1), 1.0, landmarks[:2], landmarks)


def turned(points, degrees, scale, offset):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return scale * points @ turn.T + offset


def apply(matrix, points):
    return points @ matrix[:, :2].T + matrix[:, 2]


anywhere = st.tuples(st.floats(-500, 5000), st.floats(-500, 5000))


@given(st.floats(-180, 180), st.floats(5, 900), anywhere, st.floats(0.25, 1))
def test_eyes_come_out_where_promised(degrees, scale, offset, face_width):
    geometry = Geometry(200, face_width)
    matrix = transform(face(turned(FRONTAL, degrees, scale, offset)), geometry)
    landmarks = apply(matrix, turned(FRONTAL, degrees, scale, offset))
    np.testing.assert_allclose(landmarks[:2], geometry.eyes, atol=1e-6)
    apart = 200 * face_width / FACE_PER_EYES
    np.testing.assert_allclose(landmarks[2], geometry.eyes.mean(axis=0) + (0, 0.6 * apart))
    assert matrix[:, :2] == pytest.approx(  # a turn and a scale: no mirror, no shear
        np.array([[matrix[0, 0], matrix[0, 1]], [-matrix[0, 1], matrix[0, 0]]])
    )


@given(st.floats(5, 900), anywhere)
def test_haar_box_puts_its_estimated_eyes_there_too(side, offset):
    found = haar._face(np.array([*offset, side, side]), 5, np.eye(2, 3), 1)
    eyes = np.array(offset) + side * np.array(
        [
            [haar.EYES_X - haar.EYES_APART / 2, haar.EYES_Y],
            [haar.EYES_X + haar.EYES_APART / 2, haar.EYES_Y],
        ]
    )
    np.testing.assert_allclose(apply(transform(found, GEOMETRY), eyes), GEOMETRY.eyes, atol=1e-6)


def test_head_turned_aside_does_not_fill_the_crop():
    profile = FRONTAL * (0.3, 1)
    matrix = transform(face(profile * 100), GEOMETRY)
    left, right = apply(matrix, profile[:2] * 100)
    target = GEOMETRY.eyes
    assert right[0] - left[0] < 0.5 * (target[1] - target[0])[0]
    np.testing.assert_allclose((left + right) / 2, target.mean(axis=0), atol=1e-6)


def test_eyes_in_one_point_do_not_break_it():
    assert np.isfinite(transform(face(FRONTAL * (0, 100)), GEOMETRY)).all()


@settings(deadline=None, max_examples=30)
@given(st.floats(-60, 60), st.floats(12, 400))
def test_pixels_follow_the_transform_whatever_the_scale(degrees, apart):
    side = int(6 * apart)
    marks = turned(FRONTAL, degrees, apart, (side / 2, side / 2))
    photo = np.zeros((side, side, 3), np.uint8)
    for (x, y), colour in zip(marks[:2], [(255, 0, 0), (0, 255, 0)], strict=True):
        where = round(16 * x), round(16 * y)
        cv2.circle(photo, where, round(16 * apart / 5), colour, -1, cv2.LINE_AA, 4)
    result = crop(photo, face(marks), GEOMETRY).astype(float)
    for channel, eye in enumerate(GEOMETRY.eyes):
        weight = result[..., channel]
        y, x = np.mgrid[:128, :128]
        centre = (weight * x).sum() / weight.sum(), (weight * y).sum() / weight.sum()
        np.testing.assert_allclose(centre, eye, atol=0.35)


def test_shrinking_averages_instead_of_skipping():
    stripes = np.zeros((2000, 2000, 3), np.uint8)
    stripes[:, ::2] = 255
    result = crop(stripes, face(FRONTAL * 400 + 1000), GEOMETRY)
    assert result[32:96, 32:96].std() < 8
    assert abs(result[32:96, 32:96].mean() - 127.5) < 4


def test_beyond_the_edge_the_photo_is_repeated():
    photo = np.full((200, 200, 3), (10, 200, 30), np.uint8)
    result = crop(photo, face(FRONTAL * 60 + (5, 20)), GEOMETRY)
    assert (result == (10, 200, 30)).all()


def test_choose():
    large = Face((0, 0, 50, 60), 0.8, FRONTAL[:2], None)
    central = Face((85, 85, 30, 30), 0.9, FRONTAL[:2], None)
    assert choose([central, large], "largest", (200, 200, 3)) is large
    assert choose([large, central], "central", (200, 200, 3)) is central
