import numpy as np
import pandas as pd
import pytest

from stages.common.images import write_png
from stages.common.tables import write_table
from stages.report.duplicates import PHOTOS, SUSPECTS, clusters, duplicates
from stages.report.render import render

EVIL = "<script>alert(1)</script>"
CLASSES = {"cool": {"title": EVIL, "hue": 1}, "warm": {"title": "웜톤", "hue": 180}}


@pytest.fixture
def facts(tmp_path):
    """80 photos: 0 to 9 are one shot, 10 and 11 too under two labels, and 30 labels are suspect."""
    ids = [f"{k:016x}" for k in range(80)]
    rng = np.random.default_rng(0)
    (tmp_path / "faces/t/images").mkdir(parents=True)
    for id in ids:
        picture = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        write_png(tmp_path / f"faces/t/images/{id}.png", picture)
    manifest = pd.DataFrame({"id": ids, "label": "cool", "name": f"a{EVIL}.jpg"})
    manifest.loc[11, "label"] = "warm"
    pairs = [*zip(ids[:9], ids[1:10], strict=True), (ids[10], ids[11])]
    write_table(tmp_path / "splits/t/duplicates.csv", pd.DataFrame(pairs, columns=["a", "b"]))
    suspects = pd.DataFrame({"id": ids, "label": "cool", "likely": "cool", "p_label": 0.125})
    suspects.loc[:29, "likely"] = "warm"
    suspects["suspect"] = (suspects["likely"] == "warm").astype(int)
    write_table(tmp_path / "suspects/t/suspects.csv", suspects)
    return duplicates(tmp_path, "t", manifest)


def test_it_counts_all_and_shows_some(facts):
    assert (facts["copies"]["count"], facts["copies"]["photos"]) == (1, 10)
    [cluster] = facts["copies"]["clusters"]
    assert len(cluster["shown"]) == PHOTOS and cluster["more"] == 10 - PHOTOS
    [conflict] = facts["conflicts"]["clusters"]
    assert {photo["label"] for photo in conflict["shown"]} == {"cool", "warm"}
    assert facts["suspects"] == 30 and len(facts["suspected"]) == SUSPECTS
    assert facts["agree"] == 50 / 80


def test_what_it_shows_is_text_and_pictures(facts):
    html = render("duplicates.html", duplicates=facts, classes=CLASSES, task="t")
    assert EVIL not in html and "&lt;script&gt;" in html
    assert html.count("<img") == PHOTOS + 2 + SUSPECTS
    assert "2</b> photos are the same picture under several labels" in html
    assert "12% for the label" in html


def test_clusters_are_what_pairs_connect():
    pairs = pd.DataFrame([("b", "c"), ("a", "b"), ("x", "y")], columns=["a", "b"])
    assert clusters(pairs) == [["a", "b", "c"], ["x", "y"]]
    assert clusters(pairs[:0]) == []
