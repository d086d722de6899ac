from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.augment.render import warp
from stages.augment.transform import COLUMNS, Spread, draw, matrices

pytestmark = pytest.mark.filterwarnings("ignore:Please import")  # Keras' own, about SciPy

IDENTITY = np.array([0, 0, 0, 0, 1, 1, 0.0])
PARAMS = Spread(rotation=40, shift=0.2, shear=0.2, zoom=0.2, flip=True, seed=1)
TRANSFORMS = st.tuples(
    st.floats(-180, 180),
    st.floats(-0.3, 0.3),
    st.floats(-0.3, 0.3),
    st.floats(-20, 20),
    st.floats(0.7, 1.4),
    st.floats(0.7, 1.4),
    st.sampled_from([0.0, 1.0]),
).map(np.array)


def portrait(size: int, channels: int) -> np.ndarray:
    """A drawn face with light, edges and noise: as hard to resample as a photo, and lopsided."""
    rng = np.random.default_rng(3)
    big = cv2.resize(rng.uniform(50, 220, (5, 5, 3)).astype(np.float32), (256, 256))
    cv2.ellipse(big, (120, 130), (70, 90), 10, 0, 360, (210, 170, 150), -1, cv2.LINE_AA)
    cv2.circle(big, (95, 110), 10, (30, 30, 40), -1, cv2.LINE_AA)
    cv2.circle(big, (150, 105), 12, (90, 50, 20), -1, cv2.LINE_AA)
    cv2.ellipse(big, (125, 175), (30, 10), 0, 0, 180, (150, 40, 50), -1, cv2.LINE_AA)
    big = np.clip(big + rng.normal(0, 6, big.shape), 0, 255).astype(np.uint8)
    picture = cv2.resize(big, (size, size), interpolation=cv2.INTER_AREA)
    return picture if channels == 3 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]


def ours(picture: np.ndarray, transform: np.ndarray) -> np.ndarray:
    result = np.empty_like(picture)
    warp(picture, matrices(transform[None], len(picture))[0], result)
    return result


def difference(picture, transform, keras_transform) -> float:
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    size = len(picture)
    rotation, shift_x, shift_y, shear, zoom_x, zoom_y, flip = keras_transform
    theirs = ImageDataGenerator(fill_mode="nearest").apply_transform(
        picture.astype(np.float32),
        dict(
            theta=rotation,
            tx=shift_x * size,
            ty=shift_y * size,
            shear=shear,
            zx=zoom_x,
            zy=zoom_y,
            flip_horizontal=bool(flip),
        ),
    )
    return float(np.abs(ours(picture, transform) - theirs).mean())


@pytest.mark.parametrize(("size", "channels"), [(64, 3), (200, 1), (33, 3)])
def test_agrees_with_keras(size, channels):
    picture = portrait(size, channels)
    transforms = np.concatenate([draw(f"{seed:016x}", 6, PARAMS) for seed in range(8)])
    assert {0, 1} == set(transforms[:, 6])
    assert np.abs(transforms[:, 4] - transforms[:, 5]).max() > 0.2  # zooms are not square
    assert max(difference(picture, each, each) for each in transforms) <= 2


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(TRANSFORMS)
def test_agrees_with_keras_far_beyond_the_defaults(transform):
    assert difference(portrait(64, 3), transform, transform) <= 2


@pytest.mark.parametrize(
    ("column", "wrong"),
    [(0, -20), (1, 0.15), (2, -0.05), (4, 1.15), (5, 0.85), (6, 1)],
)
def test_another_transform_would_be_noticed(column, wrong):
    transform = np.array([20, 0.1, -0.15, 0.2, 0.85, 1.15, 0])
    other = transform.copy()
    other[column] = wrong
    assert difference(portrait(64, 3), transform, other) > 2


@settings(max_examples=60, deadline=None)
@given(TRANSFORMS, st.integers(1, 64))
def test_an_edge_that_was_laid_on_before_changes_nothing(transform, edge):
    picture = portrait(64, 3)
    wide = cv2.copyMakeBorder(picture, *[edge] * 4, cv2.BORDER_REPLICATE)
    got = np.empty_like(picture)
    warp(wide, matrices(transform[None], 64)[0] + [[0, 0, edge]] * 2, got)
    assert np.abs(got - ours(picture, transform).astype(int)).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_the_identity_leaves_every_pixel(channels):
    picture = portrait(64, channels)
    np.testing.assert_array_equal(ours(picture, IDENTITY), picture)


def test_a_flip_mirrors_and_two_are_none():
    picture, flip = portrait(63, 3), IDENTITY + [0, 0, 0, 0, 0, 0, 1]
    np.testing.assert_array_equal(ours(picture, flip), picture[:, ::-1])
    np.testing.assert_array_equal(ours(ours(picture, flip), flip), picture)


@settings(max_examples=60, deadline=None)
@given(TRANSFORMS, st.integers(20, 76), st.integers(20, 76))
def test_a_landmark_lands_where_the_matrix_says(transform, x, y):
    """A dot drawn at the source's (M @ (x, y, 1)) shows at (x, y) of the result."""
    size = 97
    source = matrices(transform[None], size)[0] @ [x, y, 1]
    if not (6 <= source[0] <= size - 7 and 6 <= source[1] <= size - 7):
        return
    columns, rows = np.meshgrid(np.arange(size), np.arange(size))
    dot = np.exp(-((columns - source[0]) ** 2 + (rows - source[1]) ** 2) / 8) * 255
    got = ours(dot.round().astype(np.uint8)[..., None], transform)[..., 0].astype(float)
    got[got < 20] = 0  # the dot alone
    assert abs((got * columns).sum() / got.sum() - x) < 0.5
    assert abs((got * rows).sum() / got.sum() - y) < 0.5


def test_draws_are_uniform_within_the_parameters():
    drawn = draw("00000000000000ff", 20001, PARAMS)
    np.testing.assert_array_equal(drawn[0], IDENTITY)
    bounds = {
        "rotation": (-40, 40),
        "shift_x": (-0.2, 0.2),
        "shift_y": (-0.2, 0.2),
        "shear": (-0.2, 0.2),
        "zoom_x": (0.8, 1.2),
        "zoom_y": (0.8, 1.2),
    }
    for name, (low, high) in bounds.items():
        values = drawn[1:, COLUMNS.index(name)]
        assert low <= values.min() < values.max() <= high
        share = np.histogram(values, bins=10, range=(low, high))[0] / len(values)
        np.testing.assert_allclose(share, 0.1, atol=0.012)
    assert abs(drawn[1:, 6].mean() - 0.5) < 0.02
    together = np.corrcoef(drawn[1:].T)
    assert np.abs(together - np.eye(7)).max() < 0.03  # each is drawn for itself


def test_draws_hang_on_seed_and_photo_alone():
    base = draw("00000000000000ff", 10, PARAMS)
    np.testing.assert_array_equal(draw("00000000000000ff", 10, PARAMS), base)
    np.testing.assert_array_equal(draw("00000000000000ff", 50, PARAMS)[:10], base)
    assert (draw("00000000000000fe", 10, PARAMS)[1:, 0] != base[1:, 0]).all()
    other = replace(PARAMS, seed=-2)
    assert (draw("00000000000000ff", 10, other)[1:, 0] != base[1:, 0]).all()


def test_nothing_asked_is_nothing_done():
    still = replace(PARAMS, rotation=0, shift=0, shear=0, zoom=0, flip=False)
    np.testing.assert_array_equal(draw("00000000000000ff", 9, still), np.tile(IDENTITY, (9, 1)))
