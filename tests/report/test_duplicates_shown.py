import numpy as np
import pytest

from stages.common.images import write_png
from stages.records.folders import Folders, picture
from stages.records.manifest import Photo
from stages.records.splits import DUPLICATES, SPLITS, Assignment, Duplicate
from stages.records.suspects import SUSPECTS, Suspect
from stages.report.classes import Class
from stages.report.duplicates import PHOTOS, SUSPECTED, alike, clusters, duplicates
from stages.report.render import render

EVIL = "<script>alert(1)</script>"
CLASSES = {"cool": Class(EVIL, 1), "warm": Class("웜톤", 180)}


def photo(id, label):
    return Photo(
        id=id,
        sha256=id,
        label=label,
        person="",
        source="folder",
        name=f"a{EVIL}.jpg",
        licence="",
        author="",
        width=20,
        height=20,
        phash="",
        part="pool",
        credit="",
        page="",
    )


@pytest.fixture
def facts(tmp_path):
    """80 photos: 0 to 9 are one shot, 10 and 11 too under two labels, 20 to 23 are
    one person by their faces, and 30 labels are suspect."""
    at, ids = Folders("t", tmp_path), [f"{k:016x}" for k in range(80)]
    rng = np.random.default_rng(0)
    (at.faces / "images").mkdir(parents=True)
    for id in ids:
        write_png(picture(at.faces, id), rng.integers(0, 256, (20, 20, 3), dtype=np.uint8))
    manifest = [photo(id, "warm" if k == 11 else "cool") for k, id in enumerate(ids)]
    pairs = [*zip(ids[:9], ids[1:10], strict=True), (ids[10], ids[11])]
    found = [Duplicate(a, b, view="photo", mirrored=False, similarity=1.0) for a, b in pairs]
    DUPLICATES.write(at.splits, found)
    face = dict.fromkeys(ids[20:24], ids[20])
    SPLITS.write(
        at.splits, [Assignment(id, "cool", "", face.get(id, id), id, "train") for id in ids]
    )
    doubted = [
        Suspect(id, "cool", likely, p_label=0.125, p_likely=0.5, suspect=likely == "warm")
        for id, likely in zip(ids, ["warm"] * 30 + ["cool"] * 50, strict=True)
    ]
    SUSPECTS.write(at.suspects, doubted)
    return duplicates(at, manifest)


def test_it_counts_all_and_shows_some(facts):
    assert (facts.copies.count, facts.copies.photos) == (1, 10)
    [cluster] = facts.copies.clusters
    assert len(cluster.shown) == PHOTOS and cluster.more == 10 - PHOTOS
    [conflict] = facts.conflicts.clusters
    assert {one.photo.label for one in conflict.shown} == {"cool", "warm"}
    assert facts.suspects == 30 and len(facts.suspected) == SUSPECTED
    assert facts.agree == 50 / 80


def test_what_it_shows_is_text_and_pictures(facts):
    html = render("duplicates.html", {"duplicates": facts, "classes": CLASSES, "task": "t"})
    assert EVIL not in html and "&lt;script&gt;" in html
    assert html.count("<img") == PHOTOS + 2 + 4 + SUSPECTED
    assert "2</b> photos are the same picture under several labels" in html
    assert "12% for the label" in html


def test_clusters_are_what_pairs_connect():
    pairs = [("b", "c"), ("a", "b"), ("x", "y")]
    assert clusters(pairs) == [["a", "b", "c"], ["x", "y"]]
    assert clusters([]) == []


def test_people_that_only_faces_tell_are_shown(facts):
    assert (facts.alike.count, facts.alike.photos) == (1, 4)
    page = render("duplicates.html", {"duplicates": facts, "classes": CLASSES, "task": "t"})
    assert "<b>4</b> photos show 1 person that no name tells" in page


def test_what_a_name_or_a_shot_joins_no_face_has_joined():
    def row(id, person, group, shot):
        return Assignment(id, "x", person, group, shot, "train")

    by_name = [row("a", "anna", "a", "a"), row("b", "anna", "a", "b"), row("c", "", "a", "b")]
    by_shot = [row("d", "", "d", "d"), row("e", "", "d", "d"), row("f", "bea", "f", "f")]
    joined = [row("g", "", "g", "g"), row("h", "", "g", "h"), row("i", "carla", "i", "i")]
    added = [row("j", "", "i", "j")]  # to a person with a name
    assert alike([*by_name, *by_shot, *joined, *added]) == [["g", "h"], ["i", "j"]]
