"""A whole chapter, built from drawn pictures in the folders that the stages write."""

import base64
import json
import re
from html.parser import HTMLParser
from types import SimpleNamespace

import cv2
import numpy as np
import pandas as pd
import pytest

from stages.common import shards
from stages.common.images import write_png
from stages.common.tables import write_table
from stages.report.index import index
from stages.report.section import overview, read_facts, section

EVIL = "<script>alert(1)</script>"
TITLES = {"cool": f"쿨톤 {EVIL}", "warm": "웜톤"}
ORIGIN = {"source": "urls", "licence": EVIL, "author": EVIL, "credit": EVIL, "page": "javascript:1"}
PARTS = {"train": 6, "val": 2, "test": 4, "wild": 4}  # photos, half of each class


def write_task(data, *, wild=True, rejects=True, failed_trial=True):
    """data/<stage>/t/ as the stages before the report leave it."""
    folders = ("raw", "faces", "mattes", "splits", "search", "evaluate", "promote", "weights")
    raw, faces, mattes, splits, search, evaluated, promote, weights = (
        data / name / "t" for name in folders
    )
    for folder in (raw, faces, mattes):
        (folder / "images").mkdir(parents=True)
    for folder in (splits, search, evaluated, promote, weights):
        folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    manifest, found, cut, split, predictions = [], [], [], [], []
    for part, count in PARTS.items():
        for number in range(count if wild or part != "wild" else 0):
            label = "cool" if number % 2 == 0 else "warm"
            id = f"{len(manifest):016x}"
            name = f"{label}/{part} {number}{EVIL}.png"
            picture = rng.integers(0, 256, (48, 40, 3), dtype=np.uint8)
            write_png(raw / f"images/{id}.png", picture)
            write_png(faces / f"images/{id}.png", picture[:32, :32])
            write_png(
                mattes / f"images/{id}.png",
                np.dstack([picture[:32, :32]] + [picture[:32, :32, :1]]),
            )
            manifest.append({"id": id, "name": name, "label": label, **ORIGIN})
            box = {"x": 4, "y": 4, "w": 20, "h": 20}
            found.append({"id": id, "label": label, "kept": 1, "reason": "", **box})
            cut.append({"id": id, "label": label, "kept": 1, "reason": ""})
            person = {"person": f"p{number}", "group": f"{part}{number}"}
            split.append({"id": id, "label": label, **person, "part": part})
            if part != "train":
                called = "warm"  # so every cool photo is a mistake
                predictions.append({"id": id, "part": part, "label": label, "predicted": called,
                                    "p_cool": 0.1, "p_warm": 0.9})  # fmt: skip
    cut[0]["flags"], found[0]["flags"] = "small", "blur several"
    if rejects:
        lost = {"id": "f" * 16, "name": f"cool/lost{EVIL}.png", "label": "cool"}
        manifest.append(lost | ORIGIN)
        found.append({"id": "f" * 16, "label": "cool", "kept": 0, "reason": "no face found"})
    refused = [
        {"name": f"cool/bad {n}.png", "label": "cool", "reason": "empty file", "source": "urls"}
        for n in range(25)
    ]
    write_table(raw / "manifest.csv", pd.DataFrame(manifest))
    columns = ["name", "label", "reason", "source"]
    write_table(raw / "rejected.csv", pd.DataFrame(refused if rejects else [], columns=columns))
    write_table(faces / "faces.csv", pd.DataFrame(found))
    write_table(mattes / "mattes.csv", pd.DataFrame(cut))
    write_table(splits / "splits.csv", pd.DataFrame(split))
    seen = [{"id": f"{10:016x}", "reason": f"its person is in the pool: {n}"} for n in range(2)]
    removed = pd.DataFrame(seen if rejects else [], columns=["id", "reason"])
    write_table(splits / "removed.csv", removed)
    pairs = [(f"{0:016x}", f"{2:016x}"), (f"{1:016x}", f"{4:016x}")]  # of one label, of two
    write_table(splits / "duplicates.csv", pd.DataFrame(pairs, columns=["a", "b"]))
    doubted = {"id": f"{3:016x}", "label": "warm", "likely": "cool", "p_label": 0.1, "suspect": 1}
    write_table(data / "suspects/t/suspects.csv", pd.DataFrame([doubted]))
    write_table(evaluated / "predictions.csv", pd.DataFrame(predictions))

    train = data / "shards/t/train"
    train.mkdir(parents=True)
    shards.create(train, (12, 16, 16, 3))
    np.save(train / "labels.npy", np.tile([0, 1, 0, 1, 0, 1], 2))
    rows = "".join(f"{n % 6:016x},{n // 6}\n" for n in range(12))
    (train / "index.csv").write_text("id,copy\n" + rows)

    epochs = [{"epoch": e, "time_ms": 1, "loss": 1 - e / 4, "accuracy": 0.5 + e / 8,
               "val_loss": 1.2 - e / 4, "val_accuracy": 0.5} for e in range(3)]  # fmt: skip
    good = {"trial": 0, "status": "COMPLETED", "hyperparameters": {"filters": "8-16", "rate": 0.01},
            "score": 0.7, "best_epoch": 2, "seconds": 3.0, "parameters": 1234, "epochs": epochs,
            "error": "", "started_ms": 0, "ended_ms": 3000}  # fmt: skip
    bad = good | {"trial": 1, "status": "FAILED", "score": None, "best_epoch": None, "epochs": [],
                  "parameters": None,
                  "error": f"Traceback\n  line 1\nModelTooLarge: {EVIL}\n"}  # fmt: skip
    trials = [good, bad] if failed_trial else [good]
    content = {
        "search_id": "abc123",
        "objective": "val_loss",
        "best": 0,
        "params": {},
        "trials": trials,
    }
    write_json(search / "trials.json", content)

    exam = {"n": 4, "accuracy": 0.5, "accuracy_low": 0.15, "accuracy_high": 0.85,
            "baseline_accuracy": 0.5, "balanced_accuracy": 0.5, "macro_f1": 0.33, "log_loss": 1.2,
            "per_class": {"cool": {"precision": None, "recall": 0.0, "f1": 0.0, "support": 2},
                          "warm": {"precision": 0.5, "recall": 1.0, "f1": 0.67, "support": 2}},
            "confusion": [[0, 2], [0, 2]], "note": None}  # fmt: skip
    nothing = {k: None for k in exam} | {"n": 0, "note": "this part has no pictures"}
    exams = {"val": exam, "test": exam, "wild": exam if wild else nothing}
    write_json(evaluated / "evaluation.json", {"classes": TITLES, "parts": exams})
    score = {"n": 4, "accuracy": 0.5, "balanced_accuracy": 0.5}
    decision = {"decision": "champion", "reason": "there was no champion yet", "margin": 0.0,
                "candidate": score, "champion": None}  # fmt: skip
    write_json(promote / "promotion.json", decision)
    haar = {
        "name": "haar",
        "file": None,
        "sha256": None,
        "from": "opencv wheel",
        "note": "no yunet",
    }
    none = {"name": "grabcut", "file": None, "sha256": None, "from": "built in", "note": None}
    write_json(weights / "weights.json", {"detector": haar, "segmenter": none})


def write_json(path, content):
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def build(data, **kinds):
    write_task(data, **kinds)
    return read_facts(data, "t", SimpleNamespace(title=f"Tone {EVIL}", classes=TITLES))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    build(data)
    return data


@pytest.fixture(scope="module")
def facts(data):
    return read_facts(data, "t", SimpleNamespace(title=f"Tone {EVIL}", classes=TITLES))


@pytest.fixture(scope="module")
def page(data, facts):
    out = data / "report/t"
    out.mkdir(parents=True)
    (out / "section.html").write_text(section(facts), encoding="utf-8")
    (out / "overview.html").write_text(overview(facts), encoding="utf-8")
    return index(data / "report", {"t": f"Tone {EVIL}", "later": "Later"})


class Tags(HTMLParser):
    """Every tag with its attributes, and that what is opened is closed."""

    VOID = {"meta", "img", "br", "path"}

    def __init__(self, html):
        super().__init__()
        self.tags, self.open = [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


def text(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_page_needs_nothing_from_outside(page):
    for tag, attrs in Tags(page).tags:
        for name in ("src", "href", "srcset", "poster", "action"):
            if name in attrs:
                assert attrs[name].startswith(("data:", "#")), (tag, attrs[name])
    assert "http:" not in page and "https:" not in page and "@import" not in page
    assert "url(" not in page


def test_names_from_outside_are_text(page):
    assert EVIL not in page
    assert page.count("&lt;script&gt;") > 10
    assert sum(tag == "script" for tag, _ in Tags(page).tags) == 1  # the page's own


def test_every_picture_has_an_alternative_text_and_opens(page):
    pictures = [attrs for tag, attrs in Tags(page).tags if tag == "img"]
    # 2 samples x 4 steps, 2 copies, 16 faces, 3 flagged, 2 + 2 + 1 doubted, 2 mistakes in each exam
    assert len(pictures) == 8 + 2 + 16 + 3 + 5 + 4
    for attrs in pictures:
        assert attrs["alt"]
        kind, data = attrs["src"].split(",")
        assert kind == "data:image/webp;base64"
        decoded = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), -1)
        assert decoded is not None


def test_links_within_the_page_lead_somewhere(page):
    tags = Tags(page).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in tags:
        if tag == "a":
            assert attrs["href"][1:] in ids


def test_it_says_what_happened_to_every_photo(facts):
    assert dict(facts["funnel"]["steps"]) == {
        "Photos in": 42,
        "Readable, unique": 17,
        "Face found": 16,
        "Cut out": 16,
    }
    assert facts["funnel"]["used"] == 16
    flagged = {row["flag"]: (row["step"], len(row["pictures"])) for row in facts["flagged"]}
    assert flagged == {"blur": ("faces", 1), "several": ("faces", 1), "small": ("mattes", 1)}
    aside = {(row["step"], row["reason"]): row for row in facts["aside"]}
    assert aside["collect", "empty file"]["count"] == 25
    assert len(aside["collect", "empty file"]["names"]) == 20
    assert aside["extract", "no face found"]["names"] == [
        {"name": f"cool/lost{EVIL}.png", "reason": "no face found"}
    ]
    assert aside["split", "its person is in the pool"]["count"] == 2  # whatever stands behind ":"
    assert facts["counts"] == {"cool": [3, 1, 2, 2], "warm": [3, 1, 2, 2]}
    assert "and 5 more" in text(section(facts))


def test_it_shows_search_promotion_and_tools(facts):
    said = text(section(facts))
    for piece in ("champion", "there was no champion yet", "abc123", "1,234", "haar", "no yunet"):
        assert piece in said
    assert "ModelTooLarge" in said and "Traceback" not in said


def test_it_says_that_chance_does_as_well(facts):
    assert "within the noise of always naming the most frequent class (50%)" in text(section(facts))


def test_mistakes_are_the_wrong_answers(facts):
    assert facts["mistakes"]["test"]["count"] == 2
    shown = facts["mistakes"]["test"]["pictures"]
    assert {(m["label"], m["predicted"]) for m in shown} == {("cool", "warm")}
    assert [m["sure"] for m in shown] == [0.9, 0.9]


def test_a_task_without_a_section_is_named(page):
    assert "dvc repro report@later" in text(page)


def test_no_wild_photos_no_rejects_one_trial(tmp_path):
    facts = build(tmp_path, wild=False, rejects=False, failed_trial=False)
    said = text(section(facts) + overview(facts))
    assert "There are no wild photos" in said
    assert "No photo was set aside" in said
    assert "tried 1 network in" in said
    assert "no photos" in text(overview(facts))
