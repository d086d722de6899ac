"""The synthetic portraits: deterministic, found by detectors, with the class in the face and a trap
in the background."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import numpy as np
import pytest

from stages.collect.synthetic import Photo, draw, plan

POOLS = {
    "age": ["아이", "young", "middle", "old"],
    "undertone": ["cool", "neutral", "warm"],
    "geometry": ["a", "b", "c", "d", "e"],
}


@pytest.fixture(scope="module")
def pools() -> dict[str, list[Photo]]:
    return {
        signal: [
            draw(spec)
            for spec in plan(classes, signal=signal, people=5, photos=2, wild=6, size=224, seed=7)
        ]
        for signal, classes in POOLS.items()
    }


def pick(photos: list[Photo], part: str) -> list[Photo]:
    return [photo for photo in photos if photo.part == part]


def accuracy_on_new_people(photos: list[Photo], features: np.ndarray, part: str) -> float:
    """How often the nearest class mean, in standard units, is right about the photos of `part`: the
    means are those of the training pool without the person in question."""
    labels, parts, people = (
        np.array([getattr(photo, field) for photo in photos])
        for field in ("label", "part", "person")
    )
    hits = []
    for feature, label, who in zip(features, labels, people, strict=True):
        known = (parts == "train") & (people != who)
        distance = {
            name: np.abs((feature - features[known & (labels == name)].mean(0)) / scale).sum()
            for scale in [features[known].std(0) + 1e-6]
            for name in np.unique(labels)
        }
        hits.append(min(distance, key=distance.get) == label)
    return float(np.mean(np.array(hits)[parts == part]))


def small_plan(seed: int) -> list:
    return plan(["x", "y"], signal="age", people=2, photos=2, wild=3, size=96, seed=seed)


def test_plan_counts_and_identities():
    specs = small_plan(1)
    assert len(specs) == 2 * (2 * 2 + 3)
    assert len({spec.name for spec in specs}) == len(specs)
    assert {spec.name for spec in specs if spec.person == "x-01"} == {
        "x/p01__0.jpg",
        "x/p01__1.jpg",
    }
    assert all(spec.name.startswith("wild/") == (spec.part == "wild") for spec in specs)
    assert all(len({s.label for s in specs if s.person == spec.person}) == 1 for spec in specs)
    train, wild = ({s.person for s in specs if s.part == part} for part in ("train", "wild"))
    assert len(train) == 4 and len(wild) == 4 and not train & wild


def test_plan_follows_the_seed():
    assert small_plan(1) == small_plan(1)
    one, other = draw(small_plan(1)[0]), draw(small_plan(2)[0])
    assert not np.array_equal(one.image, other.image)


def test_unknown_signal_is_refused():
    with pytest.raises(ValueError, match="'mood'.*age, undertone, geometry"):
        plan(["x"], signal="mood", people=1, photos=1, wild=0, size=96, seed=0)


def test_more_geometry_classes_than_prototypes_are_refused():
    with pytest.raises(ValueError, match="at most 15 .* not 16"):
        plan([*map(str, range(16))], signal="geometry", people=1, photos=1, wild=0, size=96, seed=0)


def test_same_spec_same_bytes_in_any_process_and_order():
    specs = small_plan(3)[-3:]
    here = [draw(spec) for spec in specs]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as workers:
        there = list(workers.map(draw, specs[::-1]))[::-1]
    for one, other in zip(here, there, strict=True):
        assert one.image.tobytes() == other.image.tobytes()
        assert one.mask.tobytes() == other.mask.tobytes()
        assert one.box == other.box


def test_one_person_keeps_their_looks_but_not_their_pose():
    first, second = (draw(spec) for spec in small_plan(4)[:2])
    assert first.person == second.person
    assert first.box != second.box and not np.array_equal(first.image, second.image)


@pytest.mark.slow
@pytest.mark.parametrize("signal", POOLS)
def test_ground_truth_lies_in_the_picture(pools, signal):
    for photo in pools[signal]:
        x, y, w, h = photo.box
        assert photo.image.shape == (224, 224, 3) and photo.image.dtype == np.uint8
        assert photo.mask.shape == (224, 224) and photo.mask.dtype == np.uint8
        assert min(x, y) >= 0 and x + w <= 224 and y + h <= 224 and min(w, h) > 224 / 5
        assert photo.mask[y + h // 4 : y + 3 * h // 4, x + w // 4 : x + 3 * w // 4].min() == 255
        assert 0.2 < (photo.mask > 127).mean() < 0.8
        assert ((photo.mask > 0) & (photo.mask < 255)).any(), "the edge should be soft"


@pytest.mark.slow
@pytest.mark.parametrize("cascade", ["default", "alt2"])
@pytest.mark.parametrize("part", ["train", "wild"])
def test_haar_finds_the_faces(pools, part, cascade):
    haar = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_frontalface_{cascade}.xml")

    def found(photo: Photo) -> bool:
        grey = cv2.cvtColor(photo.image, cv2.COLOR_RGB2GRAY)
        return any(iou(box, photo.box) > 0.3 for box in haar.detectMultiScale(grey, 1.1, 5))

    hits = [found(photo) for photos in pools.values() for photo in pick(photos, part)]
    assert len(hits) >= 70 and np.mean(hits) >= 0.95


def iou(a: tuple, b: tuple) -> float:
    wide = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    high = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    both = max(wide, 0) * max(high, 0)
    return both / (a[2] * a[3] + b[2] * b[3] - both)


@pytest.mark.slow
def test_backgrounds_give_the_class_away_in_training_only(pools):
    def around(photo: Photo) -> np.ndarray:
        lab = cv2.cvtColor(photo.image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
        edges = np.abs(cv2.Laplacian(lab[..., 0], cv2.CV_32F))
        pixels = np.dstack([lab, edges])[photo.mask == 0]
        return np.concatenate([pixels.mean(0), pixels[:, 1:3].std(0)])

    scores = {"train": [], "wild": []}
    for photos in pools.values():
        features = np.array([around(photo) for photo in photos])
        chance = 1 / len({photo.label for photo in photos})
        for part, values in scores.items():
            values.append(accuracy_on_new_people(photos, features, part) / chance)
    assert min(scores["train"]) > 1.6 and np.mean(scores["train"]) > 2, scores
    assert np.mean(scores["wild"]) < 1.4, scores


def face(photo: Photo, size: int = 24) -> np.ndarray:
    """The face without its background, at `size` pixels."""
    x, y, w, h = photo.box
    person = np.where(photo.mask[..., None] > 127, photo.image, 128).astype(np.uint8)
    return cv2.resize(person[y : y + h, x : x + w], (size, size), interpolation=cv2.INTER_AREA)


@pytest.mark.parametrize("part", ["train", "wild"])
def test_skin_grows_warmer_with_the_undertone(pools, part):
    def warmth(label: str) -> float:
        photos = [photo for photo in pick(pools["undertone"], part) if photo.label == label]
        faces = [face(photo)[8:20, 4:20] for photo in photos]
        lab = cv2.cvtColor(np.float32(faces).reshape(1, -1, 3) / 255, cv2.COLOR_RGB2Lab)[0]
        return float(lab[:, 2].mean() - lab[:, 1].mean())

    cool, neutral, warm = map(warmth, POOLS["undertone"])
    assert cool + 3 < neutral < warm - 3


def test_age_shows_in_skin_hair_and_proportions(pools):
    def looks(label: str) -> np.ndarray:
        """Edges in the cheeks, lightness of the hair, and how low in the face the eyes are."""
        found = []
        for photo in pick(pools["age"], "train"):
            if photo.label != label:
                continue
            x, y, w, h = photo.box
            grey = cv2.cvtColor(photo.image, cv2.COLOR_RGB2GRAY)
            edges = np.abs(cv2.Laplacian(cv2.GaussianBlur(grey, (0, 0), 1), cv2.CV_32F, ksize=3))
            cheeks = edges[y + h // 2 : y + 4 * h // 5, x + w // 7 : x + 6 * w // 7]
            sides = np.concatenate([cheeks[:, : w // 6], cheeks[:, -(w // 6) :]])
            above = photo.mask[: y - h // 12] == 255
            rows = grey[y + h // 4 : y + 3 * h // 4, x + w // 5 : x + 4 * w // 5].mean(1)
            found.append((sides.mean(), np.median(grey[: y - h // 12][above]), rows.argmin() / h))
        return np.mean(found, axis=0)

    lines, hair, eyes = np.transpose([looks(label) for label in POOLS["age"]])
    assert lines[3] > max(1.2 * lines[1], lines[2]), "wrinkles come with age"
    assert max(hair[:2]) + 20 < hair[2] < hair[3] - 20, "hair turns grey, then white"
    assert eyes[0] > max(eyes[1:]) + 0.015, "a child's eyes sit low in the face"


@pytest.mark.parametrize("part", ["train", "wild"])
def test_grey_pictures_suffice_for_geometry(pools, part):
    photos = pools["geometry"]
    grey = [cv2.cvtColor(face(photo), cv2.COLOR_RGB2GRAY).astype(np.float32) for photo in photos]
    grey = np.array([(g - g.mean()) / g.std() for g in grey]).reshape(len(photos), -1)
    assert accuracy_on_new_people(photos, grey, part) > 1.8 / 5
