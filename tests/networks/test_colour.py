import cv2
import numpy as np
import pytest

from stages.common.middle import middle
from stages.networks import colour
from tests.networks.saved import answers, answers_in_half_precision, faces


def opencv(picture):
    face = middle(picture).astype(np.float32) / 255
    face = np.repeat(face, 3, axis=2) if face.shape[2] == 1 else face
    pixels = cv2.cvtColor(face, cv2.COLOR_RGB2LAB).reshape(-1, 3)
    spread = np.percentile(pixels, colour.PERCENTILES, axis=0).ravel()
    return np.concatenate([pixels.mean(0), pixels.std(0), spread])


@pytest.mark.parametrize(("side", "channels"), [(128, 3), (32, 3), (67, 1)])
def test_the_numbers_are_those_of_opencv(tmp_path, side, channels):
    """But for OpenCV's interpolated table of Lab: 0.2 of 100 off."""
    pictures = faces(6, side, channels)
    found = answers(colour.lab, pictures, tmp_path)
    assert found.shape == (6, 21)
    np.testing.assert_allclose(found, np.stack([opencv(each) for each in pictures]), atol=0.3)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((255, 255, 255), (100, 0, 0)),
        ((3, 3, 3), (0.82, 0, 0)),
    ],
)
def test_colours_whose_lab_is_known(tmp_path, rgb, lab):
    picture = np.tile(np.array(rgb, np.uint8), (1, 32, 32, 1))
    [found] = answers(colour.lab, picture, tmp_path)
    np.testing.assert_allclose(found[:3], lab, atol=0.03)
    np.testing.assert_allclose(found[3:6], 0, atol=0.01)
    np.testing.assert_allclose(found[6:].reshape(5, 3), np.tile(lab, (5, 1)), atol=0.03)


def test_the_edge_is_not_seen(tmp_path):
    face = np.full((1, 50, 50, 3), 127, np.uint8)
    face[:, 11:-11, 11:-11] = [200, 150, 120]
    white = np.where(np.arange(50)[:, None, None] < 11, 255, face).astype(np.uint8)
    found = answers(colour.lab, np.concatenate([face, white]), tmp_path)
    np.testing.assert_array_equal(found[0], found[1])


def test_half_precision_changes_nothing(tmp_path):
    pictures = faces(2, 128)
    found = answers_in_half_precision(colour.lab, pictures)
    np.testing.assert_array_equal(found, answers(colour.lab, pictures, tmp_path))
