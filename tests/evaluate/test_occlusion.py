"""Networks that look at a known place: the maps must show it."""

import numpy as np
import pytest

from stages.common.images import write_png
from stages.evaluate import explain as explaining
from stages.evaluate.explain import explain
from stages.evaluate.occlusion import inside, maps, one_map, patches
from stages.records import folders
from stages.records.predictions import Prediction
from stages.records.shards import InMemory

SIDE = 32
FACE = (slice(8, 16), slice(12, 20))  # rows, columns
CORNER = (slice(24, 32), slice(0, 8))


@pytest.fixture(scope="module")
def keras():
    import keras

    return keras


def looks_at(keras, place, activation):
    """A network that answers by the brightness of one place."""
    inputs = keras.Input((SIDE, SIDE, 3))
    eye = np.zeros((SIDE, SIDE, 3, 1), np.float32)
    eye[place] = 1 / (255 * 8 * 8 * 3)
    flat = keras.layers.Flatten()(inputs)
    layer = keras.layers.Dense(1, activation=activation)
    model = keras.Model(inputs, layer(flat))
    layer.set_weights([eye.reshape(-1, 1) * 20, np.array([-10.0])])
    return model


def photos(n):
    """Each place darker or brighter than on average, cut-outs before grey."""
    rng = np.random.default_rng(0)
    pictures = np.full((n, SIDE, SIDE, 3), 127, np.uint8)
    for picture in pictures:
        for place in (FACE, CORNER):
            picture[place] = rng.choice([20, 230])
    return pictures


def test_patches_cover_every_pixel_alike():
    for shape in ((32, 32), (50, 50)):
        over = patches(shape).sum(0)
        assert (over == 4).all()


@pytest.mark.parametrize("activation", ["sigmoid", None])
@pytest.mark.parametrize("place", [FACE, CORNER])
def test_a_map_shows_where_the_network_looks(keras, place, activation):
    pictures = photos(6)
    cover = np.full((SIDE, SIDE, 3), 127, np.uint8)
    model = looks_at(keras, place, activation)
    found = maps(model, pictures, cover, regression=activation is None, desc="test")
    assert np.allclose(found.sum((1, 2)), 1, atol=1e-5) and (found >= 0).all()
    for map in found:
        row, column = np.unravel_index(map.argmax(), map.shape)
        assert place[0].start <= row < place[0].stop
        assert place[1].start <= column < place[1].stop
        around = np.zeros((SIDE, SIDE), bool)  # a patch reaches one cell of 4 beyond the place
        around[
            max(place[0].start - 4, 0) : place[0].stop + 4,
            max(place[1].start - 4, 0) : place[1].stop + 4,
        ] = True
        assert map[around].sum() == pytest.approx(1, abs=1e-4)


def test_what_lowers_a_number_counts_as_much_as_what_raises_it():
    picture = np.full((SIDE, SIDE, 3), 127, np.uint8)
    picture[FACE], picture[CORNER] = 227, 27

    def answer(pictures):
        return np.array([[float(each[FACE].mean() + each[CORNER].mean())] for each in pictures])

    cover, windows = np.full_like(picture, 127), patches((SIDE, SIDE))
    found = one_map(answer, picture, cover, windows, regression=True)
    assert (found >= 0).all()
    assert found[:20].sum() == pytest.approx(0.5, abs=0.1)  # the face's part


def test_a_cover_that_changes_nothing_makes_no_map(keras):
    one = photos(1)
    found = maps(looks_at(keras, FACE, "sigmoid"), one, one[0], regression=False, desc="test")
    assert (found == 0).all()
    assert np.isnan(inside(found, np.ones((1, SIDE, SIDE)))).all()


def cut_outs(folder, n):
    """Ids of photos with a person in a quarter of the picture, the face well inside."""
    alpha = np.zeros((64, 64, 4), np.uint8)
    alpha[8:40, 16:48, 3] = 255
    ids = [f"{i:016}" for i in range(n)]
    (folder / "images").mkdir()
    for id in ids:
        write_png(folders.picture(folder, id), alpha)
    return ids


def answers(ids, labels, predicted):
    return [
        Prediction(
            id=id,
            part="test",
            label=label,
            predicted=answer,
            confidence=0.9,
            answer=answer,
            group=id,
            value=None,
            predicted_value=None,
            probabilities={},
        )
        for id, label, answer in zip(ids, labels, predicted, strict=True)
    ]


def test_a_slow_network_explains_few_answers(keras, tmp_path, monkeypatch):
    monkeypatch.setattr(explaining, "BUDGET", 0)
    pictures, ids = photos(30), cut_outs(tmp_path, 30)
    predictions = answers(ids, ["a", "b"] * 15, ["a"] * 30)
    model = looks_at(keras, FACE, "sigmoid")
    summary, table, drawn = explain(
        model, InMemory(pictures), predictions, tmp_path, multiplications=9e4, regression=False
    )
    assert summary.n == explaining.LEAST
    assert [row.kind for row in table] == ["right"] * explaining.FEW + ["wrong"] * explaining.FEW
    assert set(drawn) == {row.id for row in table}


@pytest.mark.parametrize(("place", "on_the_person"), [(FACE, True), (CORNER, False)])
def test_attention_on_the_background_is_found_out(keras, tmp_path, place, on_the_person):
    pictures = photos(30)
    ids = cut_outs(tmp_path, 30)
    bright = pictures[(slice(None), *place)].mean((1, 2, 3)) > 127
    predicted = np.where(bright, "b", "a")
    labels = predicted.copy()
    labels[4] = "a" if predicted[4] == "b" else "b"
    predictions = answers(ids, labels, predicted)
    model = looks_at(keras, place, "sigmoid")
    summary, table, drawn = explain(
        model, InMemory(pictures), predictions, tmp_path, multiplications=9e4, regression=False
    )
    assert summary.n == 30 and summary.area == pytest.approx(0.25)
    assert (summary.inside > 0.9) if on_the_person else (summary.inside < 0.05)
    assert summary.inside_low <= summary.inside <= summary.inside_high
    assert [row.kind for row in table] == ["right"] * 12 + ["wrong"] and table[-1].id == ids[4]
    assert set(drawn) == {row.id for row in table}
    for map in drawn.values():
        assert map.dtype == np.uint8 and map.shape == (SIDE, SIDE) and map.max() == 255
