"""Copies of drawn portraits, as files on disk, found among people who look alike."""

import shutil
import weakref

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.collect.synthetic import draw, plan
from stages.common.images import decode, write_png
from stages.split.alignment import similarity
from stages.split.duplicates import find_duplicates
from stages.split.neighbours import FARTHEST, NEAREST, candidates, describe
from stages.split.thumbnails import thumbnail

LEAST = 0.88  # as in params.yaml


def jpeg(picture, quality=90):
    bgr = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def crop90(picture):
    height, width = picture.shape[:2]
    return picture[height // 10 :, : width * 9 // 10]


def tint(picture):
    return np.clip(255 * (picture / 255) ** 1.3 * (1.2, 1, 0.7), 0, 255).astype(np.uint8)


COPIES = {
    "saved again": lambda p: jpeg(p, 40),
    "resized": lambda p: jpeg(cv2.resize(p, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)),
    "cropped": lambda p: jpeg(crop90(p)),
    "mirrored": lambda p: jpeg(p[:, ::-1]),
    "recoloured": lambda p: jpeg(tint(p)),
    "all of it": lambda p: jpeg(tint(crop90(p[:, ::-1])), 70),
}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A folder of photos and one of faces (here: what is around the middle), two of each person."""
    root = tmp_path_factory.mktemp("people")
    specs = plan(["a", "b"], signal="geometry", people=8, photos=2, wild=0, size=192, seed=1)
    for k, spec in enumerate(specs):
        save(root, f"{k:016x}", jpeg(draw(spec).image, 92))
    return root


def save(root, id, data):
    for folder in ("photos", "faces"):
        (root / folder).mkdir(exist_ok=True)
    (root / "photos" / f"{id}.jpg").write_bytes(data)
    picture = decode(data)
    height, width = (side // 6 for side in picture.shape[:2])
    write_png(root / "faces" / f"{id}.png", picture[height:-height, width:-width])


def found_in(root, ids=None, least=LEAST):
    photos, faces = files(root)
    return find_duplicates(ids or photos, photos, faces, least, scratch=root / "scratch")


def files(root):
    return [{p.stem: p for p in (root / kind).iterdir()} for kind in ("photos", "faces")]


@pytest.mark.slow
def test_people_who_look_alike_are_no_duplicates(people):
    assert found_in(people).empty


@pytest.mark.slow
@pytest.mark.parametrize("kind", COPIES)
def test_copies_are_found_and_nothing_else(people, tmp_path, kind):
    root = tmp_path / "with copies"
    shutil.copytree(people, root)
    originals = sorted((people / "photos").iterdir())[::3]
    for path in originals:
        save(root, f"f{path.stem[1:]}", COPIES[kind](decode(path.read_bytes())))
    found = found_in(root)
    pairs = set(zip(found.a, found.b, strict=True))
    assert pairs == {(path.stem, f"f{path.stem[1:]}") for path in originals}
    if kind != "cropped":
        assert set(found.view) == {"photo"}
    assert set(found.mirrored) == {kind in ("mirrored", "all of it")}
    assert found.similarity.between(LEAST, 1).all()


def test_a_shot_framed_otherwise_is_found_by_its_face(people, tmp_path):
    """What the whole pictures no longer tell: one is a face, the other a poster with a face."""
    root = tmp_path / "framed"
    shutil.copytree(people, root)
    original = sorted((people / "photos").iterdir())[0]
    poster = np.random.default_rng(0).integers(0, 255, (400, 300, 3), dtype=np.uint8)
    poster[180:372, 50:242] = decode(original.read_bytes())
    (root / "photos" / "e.jpg").write_bytes(jpeg(poster))
    shutil.copy(root / f"faces/{original.stem}.png", root / "faces/e.png")
    found = found_in(root)
    assert found[["a", "b", "view"]].to_numpy().tolist() == [[original.stem, "e", "face"]]


@pytest.mark.slow
def test_neither_order_nor_processes_matter(people, tmp_path, monkeypatch):
    root = tmp_path / "copies"
    shutil.copytree(people, root)
    for path in sorted((people / "photos").iterdir())[:5]:
        save(root, f"f{path.stem[1:]}", COPIES["all of it"](decode(path.read_bytes())))
    ids = sorted(path.stem for path in (root / "photos").iterdir())
    found = found_in(root, ids, 0.5)
    assert len(found) >= 5
    photos, faces = files(root)
    monkeypatch.setattr("stages.split.duplicates.FEW", 0)
    monkeypatch.setattr("stages.common.reuse.FEW", 0)
    again = find_duplicates(ids[::-1], photos, faces, 0.5, scratch=tmp_path / "scratch", workers=2)
    assert found.equals(again)


@pytest.mark.slow
def test_only_new_photos_are_read(people, tmp_path, monkeypatch):
    """A photo that comes back under another name, and one that other pixels took the name of."""
    root = tmp_path / "more"
    shutil.copytree(people, root)
    first = found_in(root)
    read = []
    monkeypatch.setattr(
        "stages.split.thumbnails.decode", lambda data: read.append(data) or decode(data)
    )
    pd.testing.assert_frame_equal(found_in(root), first)
    assert not read
    photos = sorted((root / "photos").iterdir())
    save(root, "f" * 16, jpeg(tint(decode(photos[0].read_bytes()))))
    photos[1].write_bytes(photos[2].read_bytes())
    found = found_in(root)
    assert len(read) == 2  # the new one's whole and face; what is known under another name is not
    assert set(zip(found.a, found.b, strict=True)) == {
        (photos[0].stem, "f" * 16),
        (photos[1].stem, photos[2].stem),
    }


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_photos(people, tmp_path, count):
    for path in sorted((people / "photos").iterdir())[:count]:
        save(tmp_path, path.stem, path.read_bytes())
    (tmp_path / "photos").mkdir(exist_ok=True)
    (tmp_path / "faces").mkdir(exist_ok=True)
    found = found_in(tmp_path)
    assert list(found.columns) == ["a", "b", "view", "mirrored", "similarity"] and found.empty


def clouds(seed, count):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 255, (count, 8, 8)).astype(np.uint8)
    return np.stack([cv2.resize(c, (64, 64), interpolation=cv2.INTER_CUBIC) for c in coarse])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 60))
def test_the_index_proposes_what_looks_alike(seed, count):
    """Beside comparing each with each; up to a few hundred pictures the index is exact."""
    pictures = clouds(seed, count)
    pictures[count // 2] = pictures[0][:, ::-1]
    plain, mirrored = describe(pictures), describe(pictures[:, :, ::-1])
    wanted = set()
    for mirror, queries in enumerate((plain, mirrored)):
        distance = ((queries[:, None].astype(float) - plain) ** 2).sum(-1)
        for row in range(count):
            for near in np.argsort(distance[row], kind="stable")[: NEAREST + 1]:
                if distance[row, near] < 0.99 * FARTHEST and near != row:
                    wanted.add((min(row, near), max(row, near), mirror))
    found = {tuple(row) for row in candidates(pictures).tolist()}
    assert wanted <= found
    assert all(a < b for a, b, _ in found)
    assert count == 2 or (0, count // 2, 1) in found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.6, 1.2), st.floats(-20, 20))
def test_light_does_not_matter_and_other_pictures_do(seed, gain, offset):
    a, b = clouds(seed, 2)
    lit = np.clip(a * 0.6 * gain + 30 + offset, 0, 255).astype(np.uint8)
    assert similarity(a, a) > 0.999
    assert similarity(a, lit) > 0.95
    assert similarity(a, b) < 0.5


def test_a_picture_without_contrast_is_like_nothing():
    flat = thumbnail(np.full((100, 80, 3), 7, np.uint8))
    assert similarity(flat, flat) == similarity(flat, clouds(0, 1)[0]) == 0


def textured(seed, blur):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (24, 24), dtype=np.uint8)
    fine = cv2.resize(coarse, (192, 192), interpolation=cv2.INTER_CUBIC) + rng.normal(
        0, 6, (192, 192)
    )
    return cv2.GaussianBlur(np.clip(fine, 0, 255).astype(np.uint8), (0, 0), blur)[:128, :128]


@pytest.mark.parametrize("seed", [0, 1])
def test_two_pictures_that_share_less_than_half_are_not_one_shot(seed):
    whole = textured(seed, 3.0)
    small = cv2.resize(whole, (64, 64), interpolation=cv2.INTER_AREA)

    def like(share):
        side = int(128 * share)
        first = (128 - side) // 2
        part = whole[first : first + side, first : first + side]
        return similarity(small, cv2.resize(part, (64, 64), interpolation=cv2.INTER_AREA))

    assert like(0.75) > 0.85  # shows 56 %
    assert like(0.7) == 0  # 49 %


def test_what_is_alike_from_afar_is_compared_near_by():
    calm = textured(0, 1.0)[:64, :64] // 2 + 64
    board = 20 * (np.indices((64, 64)).sum(0) % 2 * 2 - 1)
    near = calm + textured(1, 1.0)[:64, :64] // 8  # 0.97 like `calm`, at half the resolution too
    assert 0.95 < similarity(calm, near) < 0.99
    assert similarity((calm + board).astype(np.uint8), (near - board).astype(np.uint8)) < 0


def test_one_view_is_in_memory_at_a_time(monkeypatch, tmp_path):
    read = []

    def thumbnails(files, scratch, *, desc, workers):
        assert all(earlier() is None for earlier in read)
        pictures = np.zeros((len(files), 64, 64), np.uint8)
        read.append(weakref.ref(pictures))
        return pictures

    monkeypatch.setattr("stages.split.duplicates.thumbnails", thumbnails)
    files = {id: tmp_path / id for id in "abc"}
    find_duplicates("abc", files, files, 0.88, scratch=tmp_path)
    assert len(read) == 2
