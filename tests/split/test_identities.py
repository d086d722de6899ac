"""The numbers of faces: where they come from, when they are computed, and where they may be."""

import logging

import cv2
import numpy as np
import pandas as pd
import pytest

from stages.collect.forget import next_steps
from stages.common.images import read_png, write_png
from stages.extract.crop import Geometry
from stages.params.merge import load
from stages.records.faces import GEOMETRY
from stages.records.folders import Folders, picture
from stages.records.params import Split
from stages.records.weights import WEIGHTS, Weight
from stages.split import identities as room
from stages.split.identities import identities_for, window
from tests.conftest import REPO
from tests.params_yaml import shipped
from tests.weights_folder import write_weights

MISSING = "no weights for face: the machine is offline. Put sface.onnx into weights.local"


class Network:
    """Sees a face's mean colour."""

    calls = 0

    def feature(self, face: np.ndarray) -> np.ndarray:
        Network.calls += 1
        return face.reshape(-1, 3).astype(np.float32).mean(0, keepdims=True)


@pytest.fixture
def at(tmp_path, monkeypatch):
    """Three crops, of which one person is known; SFace's file is there."""
    at, geometry = Folders("tone", tmp_path), Geometry(64, 0.5)
    write_weights(at.weights)
    (at.weights / "sface.onnx").write_bytes(b"one")
    sface = Weight("face", "sface.onnx", "0" * 64, "download")
    WEIGHTS.write(at.weights, _with(at, sface))
    for number, colour in enumerate([(250, 0, 0), (240, 10, 0), (0, 0, 250)]):
        path = picture(at.faces, f"{number:016x}")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_png(path, np.full((64, 64, 3), colour, np.uint8))
    GEOMETRY.write(at.faces, geometry.places())
    monkeypatch.setattr(room, "_network", lambda _: Network())
    Network.calls = 0
    return at


def _with(at, face):
    weights = WEIGHTS.read(at.weights)
    return type(weights)(weights.detector, weights.segmenter, pretrained={"face": face})


def params(**changes) -> Split:
    return Split(**shipped()["defaults"]["split"] | changes)


def people(*names: str) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"{n:016x}" for n in range(len(names))], "person": names})


def test_alike_faces_have_a_large_product(at):
    found = identities_for(at, params(), people("", "", "anna"))
    assert found.dtype == np.float32
    product = found @ found.T
    np.testing.assert_allclose(np.diag(product), 1, atol=1e-6)
    assert product[0, 1] > 0.99 and product[0, 2] < 0.01


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"same_face": None}, ("", "", "")),
        ({"keep_together": "shot"}, ("", "", "")),
        ({}, ("anna", "bea", "bea")),
    ],
)
def test_nothing_is_computed_that_decides_nothing(at, caplog, changes, names):
    assert identities_for(at, params(**changes), people(*names)) is None
    assert Network.calls == 0
    assert not at.cache("identities").exists()
    assert not caplog.records


def test_the_next_run_computes_only_what_is_new(at):
    first = identities_for(at, params(), people("", "", ""))
    assert Network.calls == 3
    write_png(picture(at.faces, f"{3:016x}"), np.full((64, 64, 3), 90, np.uint8))
    again = identities_for(at, params(), people("", "", "", ""))
    assert Network.calls == 4
    np.testing.assert_array_equal(again[:3], first)
    (at.weights / "sface.onnx").write_bytes(b"another network")
    identities_for(at, params(), people("", "", ""))
    assert Network.calls == 7


def test_without_weights_one_warning_says_what_that_means(at, caplog):
    WEIGHTS.write(at.weights, _with(at, Weight("face", None, None, "", note=MISSING)))
    with caplog.at_level(logging.WARNING):
        assert identities_for(at, params(), people("", "", "anna")) is None
    [said] = caplog.messages
    assert "who is on 2 photos is not known" in said
    assert MISSING in said
    assert "exams look too good" in said


def test_the_numbers_are_in_the_scratch_that_forgetting_purges(at, tmp_path):
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    identities_for(at, params(), people("", "", ""))
    new = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    steps = next_steps([], "tone", load(REPO / "params.yaml"))
    [purge] = [line.split() for line in steps.splitlines() if "rm -rf .downloads" in line]
    purged = [folder for pattern in purge[3:] for folder in tmp_path.glob(pattern)]
    assert new and all(any(path.is_relative_to(each) for each in purged) for path in new)


def test_the_window_has_the_eyes_where_sface_wants_them():
    geometry = Geometry(256, 0.5)
    crop = np.zeros((256, 256, 3), np.uint8)
    for (x, y), channel in zip(geometry.eyes, (0, 1), strict=True):
        spot = np.hypot(*(np.indices((256, 256))[::-1] - np.array([x, y])[:, None, None]))
        crop[..., channel] = 255 * np.exp(-((spot / 6) ** 2))
    left, right = (complex(*eye) for eye in geometry.eyes)
    face = window(crop, left, right).astype(float)
    for channel, wanted in ((0, room.LEFT), (1, room.RIGHT)):
        weights = face[..., channel] / face[..., channel].sum()
        y, x = (np.indices(weights.shape) * weights).sum((1, 2))
        assert abs(complex(x, y) - wanted) < 0.1


def test_the_real_network_tells_two_drawn_faces_apart(real_sface, tmp_path):
    from stages.collect.synthetic import draw, plan

    specs = plan(["a", "b"], signal="geometry", people=1, photos=1, wild=0, size=256, seed=1)
    paths = []
    for number, spec in enumerate(specs):
        paths.append(tmp_path / f"{number}.png")
        write_png(paths[-1], cv2.resize(draw(spec).image, (256, 256)))
    paths.append(tmp_path / "again.png")
    write_png(paths[-1], np.clip(read_png(paths[0]) * 0.9, 0, 255).astype(np.uint8))
    places = Geometry(256, 0.5).places()
    found = room.identities(paths, places, real_sface, tmp_path / "scratch")
    assert found.shape == (3, 128)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert found[0] @ found[2] > found[0] @ found[1]
