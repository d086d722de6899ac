"""The experiments on photos so small and plain that their answers are known beforehand."""

import dataclasses
import sys

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from experiments.findings import __main__ as door
from experiments.findings import leak, network, outcome, person, variants
from experiments.findings.outcome import Outcome, Score
from experiments.findings.photos import Photos, copies
from stages.augment import augment as room
from stages.common.errors import UserError
from stages.common.images import write_png
from stages.networks.metrics import Difference
from stages.params.merge import load
from stages.records import folders
from stages.records.findings import Bar, Figure, finding_file, findings_folder, read_findings
from stages.records.folders import Folders
from stages.records.splits import Assignment
from tests.conftest import REPO
from tests.weights_folder import write_weights

pytestmark = pytest.mark.slow

CLASSES = {"red": "Red", "blue": "Blue"}
COLOURS = {"red": (220, 40, 40), "blue": (40, 40, 220)}


@pytest.fixture
def small(monkeypatch):
    """A budget of seconds, and no worker processes."""
    monkeypatch.setattr(room, "map_cores", lambda function, blocks, **_: map(function, blocks))
    monkeypatch.setattr(network, "STEPS", 150)
    for module in (leak, variants, person):
        monkeypatch.setattr(module, "SEEDS", (1,))


def drawn(tmp_path, *, tied: bool = True, persons: int = 20, wild: bool = False) -> Photos:
    """Two photos of each person; where `tied`, the disc in the middle has the class's colour.

    In the pool the background has it too, and in the wild the other class's.
    """
    rng, rows = np.random.default_rng(0), []
    for who in range(persons + 4 * wild):
        part = "wild" if who >= persons else ("train", "train", "train", "val", "test")[who % 5]
        label = list(CLASSES)[who // 5 % 2] if part != "wild" else list(CLASSES)[who % 2]
        for shot in range(2):
            id = f"{2 * who + shot + 1:016x}"
            picture = cv2.resize(rng.integers(60, 200, (3, 3, 3), dtype=np.uint8), (24, 24))
            if wild:
                behind = label if part != "wild" else next(c for c in CLASSES if c != label)
                picture[:] = COLOURS[behind]
            inside = np.zeros((24, 24), np.uint8)
            cv2.circle(inside, (12, 12), 6, 255, -1)
            if tied:
                picture[inside > 0] = np.clip(rng.normal(COLOURS[label], 15), 0, 255)
            file = folders.picture(tmp_path, id)
            file.parent.mkdir(exist_ok=True)
            write_png(file, np.dstack([picture, inside]))
            rows.append(Assignment(id, label, f"p{who}", f"{2 * who + 1:016x}", id, part))
    task = load(REPO / "params.yaml").task("tone")
    mild = dict(copies=20, size=16, rotation=10, shift=0.05, shear=0, zoom=0.05)
    mild |= {"background": "keep" if not tied else (127, 127, 127)}
    task = task.model_copy(
        update={"classes": CLASSES, "augment": task.augment.model_copy(update=mild)}
    )
    return Photos("colours", task, rows, [], tmp_path)


def test_only_a_leak_can_know_random_labels(small, tmp_path, monkeypatch):
    photos = drawn(tmp_path, tied=False, persons=50)
    found = leak.leak(photos)
    scores = {(s.network, s.exam): s for s in found.scores}
    assert scores["augment, then split", "random labels"].low > 0.6
    honest = scores["split, then augment", "random labels"]
    assert honest.low <= 0.5 <= honest.high
    assert "which is chance" in found.conclusion

    # Plant the leak where the honest split should be: the same check must see it.
    monkeypatch.setattr(leak, "SPLITS", dict.fromkeys(leak.SPLITS, "pictures"))
    assert "NOT CHANCE" in leak.leak(photos).conclusion


def test_dealing_pictures_puts_one_photo_on_both_sides_and_dealing_photos_does_not(small, tmp_path):
    photos = drawn(tmp_path)
    with copies(photos, photos.of("train", "val"), photos.augment) as made:
        ids = made.ids
        sides = {
            what: leak.deal(photos, made, what, np.random.default_rng(0))
            for what in ("pictures", "photos")
        }
    for train, val in sides.values():
        assert not set(train) & set(val)
        assert (len(train), len(val)) == (24 * 20, 8 * 20)
    both = {what: set(ids[t]) & set(ids[v]) for what, (t, v) in sides.items()}
    assert len(both["pictures"]) == 32 and not both["photos"]


def test_a_background_that_lies_in_the_wild_is_worth_removing(small, tmp_path):
    found = variants.background(drawn(tmp_path, wild=True))
    value = {(s.network, s.exam): s.value for s in found.scores}
    assert value["background kept", "validation"] == 1
    assert value["background kept", "wild"] < 0.5
    assert value["background removed", "wild"] == 1
    assert found.conclusion.endswith("on wild, a gain.")


def test_without_wild_photos_the_answer_says_so(small, tmp_path):
    found = variants.grey(drawn(tmp_path))
    assert {s.exam for s in found.scores} == {"validation"}
    assert "no wild photos" in found.conclusion


def test_by_person_nobody_is_on_both_sides(tmp_path):
    photos = drawn(tmp_path)
    shared = {}
    for by in person.BY:
        part = person.deal(photos, by, seed=1)
        sides = [
            {photo.person for photo in photos.assigned if part[photo.id] in parts}
            for parts in (("train",), ("val", "test"))
        ]
        shared[by] = sides[0] & sides[1]
    assert shared["by photo"] and not shared["by person"]
    with pytest.raises(UserError, match="nobody is known"):
        nobody = [replace(photo, person="") for photo in photos.assigned]
        person.person(dataclasses.replace(photos, assigned=nobody))


def test_by_person_a_face_network_knows_only_whom_it_has_seen(small, tmp_path, monkeypatch):
    """Numbers that tell the person and nothing else: all is known by photo, nothing by person."""
    photos = drawn(tmp_path, persons=40)
    who = np.eye(40, dtype=np.float32)
    monkeypatch.setattr(
        person, "of_faces", lambda _, pool: np.array([who[int(p.person[1:])] for p in pool])
    )
    found = person.person(photos)
    value = {s.network: s for s in found.scores}
    assert list(value)[2:] == ["by photo, by a face network", "by person, by a face network"]
    assert value["by photo, by a face network"].value > 0.6
    assert value["by person, by a face network"].low <= 0.5
    by_photo = value["by photo, by a face network"]
    assert by_photo.range in found.conclusion  # the face network is spoken of


def test_without_the_face_network_s_weights_the_small_network_is_alone(tmp_path):
    photos = drawn(tmp_path)
    assert person.of_faces(photos, photos.of("train")) is None
    at = Folders("colours", tmp_path)
    write_weights(at.weights)
    assert person.of_faces(dataclasses.replace(photos, at=at), photos.of("train")) is None


@pytest.mark.parametrize(
    ("low", "value", "high", "words"),
    [
        (0.20, 0.27, 0.34, "no better than guessing"),
        (0.26, 0.33, 0.40, "near chance"),
        (0.80, 0.85, 0.90, "80% of the way"),
    ],
)
def test_a_score_is_described_as_it_is(low, value, high, words):
    assert words in outcome.against_guessing(Score("n", "e", 1, value, low, high, [value], 0.25))


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.1, 0.3, "a gain"), (-0.3, -0.1, "a loss"), (-0.1, 0.1, "not surely different")],
)
def test_a_difference_is_no_surer_in_words_than_it_is(low, high, words):
    difference = Difference(value=(low + high) / 2, low=low, high=high)
    assert words in outcome.in_words(difference, "wild")


def test_two_scores_of_different_pictures_are_apart_only_beyond_both_their_errors():
    a, b = (Score("n", "e", 1, v, v - 0.3, v + 0.4, [v], 0.25) for v in (0.9, 0.4))
    assert outcome.apart(a, b) == pytest.approx((0.5, 0.0, 1.0))  # 0.3 and 0.4 at right angles


def test_what_is_recorded_is_what_the_report_draws(tmp_path):
    scores = [Score("n", "val", 8, 0.5, 0.4, 0.6, [0.5], 0.25)]
    found = outcome.record(
        "grey", "colours", Outcome("Title", "Question?", "Answer.", scores), 1.23
    )
    finding_file("grey", "colours").write(findings_folder(tmp_path), found)
    assert (tmp_path / "reports/findings/grey-colours.json").is_file()
    assert read_findings(tmp_path) == [found]
    assert all(len(row) == len(found.columns) for row in found.rows)
    assert found.figure == Figure(bars=[Bar("n: val", 0.5, low=0.4, high=0.6, chance=0.25)])
    assert found.command == "python -m experiments.findings grey colours"
    assert "Answer." in outcome.show(found)


def test_it_needs_a_finished_pipeline(tmp_path, monkeypatch):
    (tmp_path / "params.yaml").write_bytes((REPO / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["findings", "leak", "tone"])
    with pytest.raises(UserError, match=r"data.splits.*dvc repro"):
        door.main()
    monkeypatch.setattr(sys, "argv", ["findings", "leak", "nose"])
    with pytest.raises(UserError, match="no task 'nose'"):
        door.main()
