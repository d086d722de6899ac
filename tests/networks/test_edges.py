import cv2
import numpy as np
import pytest

from stages.common.middle import middle
from stages.networks import edges
from tests.networks.saved import answers, answers_in_half_precision, faces

HOG = cv2.HOGDescriptor((64, 64), (16, 16), (8, 8), (8, 8), 9)


def opencv(picture):
    face = cv2.resize(middle(picture), (64, 64), interpolation=cv2.INTER_AREA)
    return HOG.compute(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) if face.ndim == 3 else face)


@pytest.mark.parametrize(("side", "channels"), [(128, 3), (115, 1), (200, 3)])
def test_the_numbers_are_those_of_opencv(tmp_path, side, channels):
    """But where a rounded pixel differs by 1, and for OpenCV's arctangent: 0.3 degrees off."""
    pictures = faces(6, side, channels)
    found = answers(edges.hog, pictures, tmp_path)
    expected = np.stack([opencv(picture) for picture in pictures])
    assert found.shape == (6, 1764)
    assert np.abs(found - expected).mean() < 3e-4
    assert np.abs(found - expected).max() < 0.03


def test_small_pictures_are_enlarged_as_opencv_does_it(tmp_path):
    """OpenCV's enlarging has 11 bits; where nothing but that is to be seen, directions differ."""
    pictures = faces(6, 64)
    found = answers(edges.hog, pictures, tmp_path)
    expected = np.stack([opencv(picture) for picture in pictures])
    assert np.abs(found - expected).mean() < 3e-3


@pytest.mark.parametrize("shape", [(16, 16, 3), (17, 23, 1), (70, 41, 3)])
def test_pictures_of_any_shape(shape):
    picture = np.random.default_rng(0).integers(0, 256, (1, *shape)).astype(np.float32)
    found = np.asarray(edges.hog(picture))
    assert found.shape == (1, 1764)
    assert np.isfinite(found).all()


def test_nothing_to_be_seen(tmp_path):
    assert (answers(edges.hog, np.full((1, 128, 128, 3), 99, np.uint8), tmp_path) == 0).all()


def test_half_precision_changes_nothing(tmp_path):
    pictures = faces(2, 128)
    found = answers_in_half_precision(edges.hog, pictures)
    np.testing.assert_array_equal(found, answers(edges.hog, pictures, tmp_path))
