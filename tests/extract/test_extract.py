"""The whole room on drawn portraits, with the detector that needs no weights."""

import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from stages.collect.synthetic import draw, plan
from stages.common.errors import UserError
from stages.common.images import BadImage, decode, read_png, write_png
from stages.extract.extract import extract
from stages.extract.haar import Haar
from stages.extract.shrink import shrink
from stages.extract.yunet import SIDES
from stages.params.merge import load
from stages.records.faces import FACES
from stages.records.folders import picture, pictures
from stages.records.manifest import Photo
from tests.weights_folder import CASCADE, write_weights

PARAMS = next(iter(load(Path(__file__).parents[2] / "params.yaml").tasks.values())).extract
PARAMS = PARAMS.model_copy(update={"size": 96, "face_width": 0.5, "drop": ()})
LIMITS = PARAMS.quality


@pytest.fixture(scope="module")
def portraits():
    return [
        draw(spec)
        for spec in plan(
            ["one", "two"], signal="geometry", people=3, photos=1, wild=0, size=256, seed=5
        )
    ]


@pytest.fixture
def room(tmp_path):
    """A function that runs the room on {id: (label, RGB array or bytes)}."""
    weights = tmp_path / "weights"
    write_weights(weights)

    def run(photos, *, which="largest", workers=1, name="run"):
        raw, out = tmp_path / name / "raw", tmp_path / name / "out"
        for folder in (raw, out):
            pictures(folder).mkdir(parents=True)
        for photo_id, (_, image) in photos.items():
            if isinstance(image, bytes):
                picture(raw, photo_id).with_suffix(".jpg").write_bytes(image)
            else:
                write_png(picture(raw, photo_id), image)
        manifest = [replace(PHOTO, id=id, label=label) for id, (label, _) in photos.items()]
        params = PARAMS.model_copy(update={"face": which})
        scratch = tmp_path / name / "scratch"
        crops = extract(manifest, raw, weights, out, params, scratch=scratch, workers=workers)
        FACES.write(out, crops)
        return FACES.frame(out), pictures(out)

    return run


PHOTO = Photo(*[""] * 8, 256, 256, "", "pool", "", "")


def wall(size=256):
    return np.full((size, size, 3), (90, 120, 150), np.uint8)


def test_a_row_for_every_photo_and_a_crop_for_every_face(room, portraits):
    photos = {f"p{i}": (photo.label, photo.image) for i, photo in enumerate(portraits)}
    photos |= {"empty": ("one", wall()), "broken": ("two", b"\xff\xd8\xff cut short")}
    faces, out = room(photos)
    assert list(faces.columns) == FACES.columns
    assert list(faces.id) == list(photos)
    reasons = dict(zip(faces.id, faces.reason, strict=True))
    assert reasons["empty"] == "no face found"
    assert "damaged" in reasons["broken"]
    kept = faces[faces.kept]
    assert list(kept.id) == [f"p{i}" for i in range(len(portraits))]
    assert {path.stem for path in out.iterdir()} == set(kept.id)
    for row, photo in zip(kept.itertuples(), portraits, strict=True):
        assert read_png(out / f"{row.id}.png").shape == (96, 96, 3)
        x, y, w, h = photo.box
        assert x < row.x + row.w / 2 < x + w
        assert y < row.y + row.h / 2 < y + h


def test_largest_and_central(room, portraits):
    big, small = portraits[0].image, portraits[-1].image
    photo = np.zeros((512, 1000, 3), np.uint8) + np.uint8(128)
    photo[:384, :384] = cv2.resize(big, (384, 384), interpolation=cv2.INTER_CUBIC)
    photo[128:384, 400:656] = small
    boxes = {}
    for which in ("largest", "central"):
        row = room({"x": ("one", photo)}, which=which, name=which)[0].iloc[0]
        assert row.faces == 2
        boxes[which] = row.x + row.w / 2
    assert boxes["largest"] < 384
    assert 400 < boxes["central"] < 656


def test_face_at_the_edge_is_cropped_whole_size(room, portraits):
    x, y, w, h = portraits[0].box
    cut = portraits[0].image[max(y - h // 5, 0) : y + h + h // 8, x - w // 8 : x + w + w // 8]
    faces, out = room({"edge": ("one", np.ascontiguousarray(cut))})
    assert faces.kept.tolist() == [True]
    assert read_png(out / "edge.png").shape == (96, 96, 3)


def test_class_without_any_face_is_an_error(room, portraits):
    with pytest.raises(UserError, match="class 'two'.*none of its 2 photos.*no face found"):
        room(
            {
                "a": ("one", portraits[0].image),
                "b": ("two", wall()),
                "c": ("two", wall(300)),
            }
        )


def test_a_photo_that_a_library_fails_on_ends_no_run(room, portraits, monkeypatch):
    find = Haar.detect

    def detect(self, image):
        if image.shape[0] == 300:
            raise cv2.error("assertion failed\nin line 7")
        return find(self, image)

    monkeypatch.setattr(Haar, "detect", detect)
    strip = cv2.imencode(".png", np.zeros((16, 16_000, 3), np.uint8))[1].tobytes()
    face = portraits[0].image
    faces, out = room({"a": ("one", face), "b": ("one", wall(300)), "c": ("one", strip)})
    assert faces["kept"].tolist() == [1, 0, 0]
    assert faces["reason"].tolist()[1] == "cannot be examined (error: assertion failed)"
    assert "16000 x 16 pixels; too narrow" in faces["reason"].tolist()[2]
    assert [path.name for path in out.iterdir()] == ["a.png"]


@pytest.mark.parametrize("error", [MemoryError(), OSError(28, "No space left on device")])
def test_what_is_wrong_with_the_machine_is_not_blamed_on_a_photo(
    room, portraits, monkeypatch, error
):
    def detect(self, image):
        raise error

    monkeypatch.setattr(Haar, "detect", detect)
    with pytest.raises(type(error)):
        room({"a": ("one", portraits[0].image)})


def test_one_and_two_processes_write_the_same_bytes(room, portraits):
    photos = {f"p{i}": (photo.label, photo.image) for i, photo in enumerate(portraits * 6)}
    for i, (_, image) in enumerate(photos.values()):  # enough of them, all different
        image[0, i] = i
    results = []
    for workers in (1, 2):
        faces, out = room(photos, workers=workers, name=f"w{workers}")
        digests = [hashlib.sha256(path.read_bytes()).digest() for path in sorted(out.iterdir())]
        results.append((faces.to_csv(), digests))
    assert results[0] == results[1]


@pytest.mark.parametrize("degrees", [-22, 22])
def test_haar_finds_and_levels_a_tilted_head(portraits, degrees):
    """Compared with the same head upright, whose eyes are level."""
    photo = portraits[0].image
    upright = Haar(CASCADE).detect(photo)[0]
    turn = cv2.getRotationMatrix2D((128, 128), degrees, 1)
    tilted = cv2.warpAffine(photo, turn, (256, 256), borderMode=cv2.BORDER_REPLICATE)
    faces = Haar(CASCADE).detect(tilted)
    assert faces
    face = max(faces, key=lambda face: face.score)
    expected = upright.eyes @ turn[:, :2].T + turn[:, 2]
    np.testing.assert_allclose(face.eyes, expected, atol=10)
    x, y, w, h = face.box
    assert x < expected.mean(axis=0)[0] < x + w
    assert y < expected.mean(axis=0)[1] < y + h


@pytest.mark.slow
@given(height=st.integers(1, 2_500), width=st.integers(1, 2_500))
@settings(max_examples=40, deadline=None)
def test_whatever_can_be_decoded_can_be_looked_at(height, width):
    data = cv2.imencode(".png", np.zeros((height, width), np.uint8))[1].tobytes()
    try:
        image = decode(data)
    except BadImage:
        assert min(height, width) < 16 or max(height, width) > 20 * min(height, width)
        return
    assert image.shape == (height, width, 3)
    for side in SIDES:
        small, scale = shrink(image, side)
        assert min(small.shape[:2]) >= 1 and max(small.shape) <= max(side, 3)
        assert scale <= 1
    assert Haar(CASCADE).detect(image[:200, :200]) == []


@pytest.mark.parametrize("shape", [(16, 320), (640, 32), (16, 16)])
def test_a_narrow_picture_shows_no_face(shape):
    assert Haar(CASCADE).detect(np.full((*shape, 3), 90, np.uint8)) == []
