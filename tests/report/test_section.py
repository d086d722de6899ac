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

from stages.common.images import write_png
from stages.common.tables import write_table
from stages.records import shards
from stages.report.answers import answers
from stages.report.index import index
from stages.report.section import overview, read_facts, section

EVIL = "<script>alert(1)</script>"
TITLES = {"cool": f"쿨톤 {EVIL}", "warm": "웜톤"}
ORIGIN = {"source": "urls", "licence": EVIL, "author": EVIL, "credit": EVIL, "page": "javascript:1"}
PARTS = {"train": 6, "val": 2, "test": 4, "wild": 4}  # photos, half of each class


def write_task(
    data, *, wild=True, rejects=True, failed_trial=True, champion=True, kind="classification"
):
    """data/<stage>/t/ as the stages before the report leave it."""
    raw, faces, mattes, splits, search, evaluated, promote, weights, baseline = (
        data / name / "t"
        for name in ("raw", "faces", "mattes", "splits", "search", "evaluate", "promote",
                     "weights", "baseline")
    )  # fmt: skip
    explained = evaluated / "explanations"
    for folder in (raw, faces, mattes):
        (folder / "images").mkdir(parents=True)
    for folder in (splits, search, explained, promote, weights, baseline):
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
                exact = {"value": 10.0 * len(predictions), "predicted_value": 10.0}
                predictions.append(
                    {"id": id, "part": part, "label": label, "predicted": called,
                     "confidence": 0.9, "answer": "unsure", "group": f"{part}{number}",
                     "value": "", "predicted_value": "",
                     "p_cool": 0.1, "p_warm": 0.9} | (exact if kind == "regression" else {})
                )  # fmt: skip
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

    for part, copies in (("train", 2), ("test", 1), ("wild", 1)):
        ids = [row["id"] for row in split if row["part"] == part] * copies
        folder = data / "shards/t" / part
        folder.mkdir(parents=True)
        shards.create(folder, (len(ids), 16, 16, 3))
        np.save(folder / "labels.npy", np.arange(len(ids)) % 2)
        rows = "".join(f"{id},{n // PARTS[part]}\n" for n, id in enumerate(ids))
        (folder / "index.csv").write_text("id,copy\n" + rows)
    maps = [row for row in predictions if row["part"] != "val"][:-1]  # the last one has none
    for row in maps:
        write_png(explained / f"{row['id']}.png", np.full((16, 16), 128, np.uint8))
    table = pd.DataFrame(maps, columns=["id", "part", "label", "predicted", "confidence"])
    kinds = np.where(table["label"] == table["predicted"], "right", "wrong")
    write_table(explained / "maps.csv", table.assign(inside=0.75, area=0.5, kind=kinds))

    epochs = [{"epoch": e, "time_ms": 1, "loss": 1 - e / 4, "accuracy": 0.5 + e / 8,
               "val_loss": 1.2 - e / 4, "val_accuracy": 0.5} for e in range(3)]  # fmt: skip
    regression = kind == "regression"
    if regression:
        for row in epochs:
            row |= {"mae": 20 - row.pop("accuracy"), "val_mae": 30 - row.pop("val_accuracy")}
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

    bounds = {name: [0.15, 0.85] for name in ("accuracy", "balanced_accuracy", "ece")}
    exam = {"n": 4, "groups": 3, "accuracy": 0.5, "accuracy_low": 0.15, "accuracy_high": 0.85,
            "baseline_accuracy": 0.5, "balanced_accuracy": 0.5, "macro_f1": 0.33, "log_loss": 1.2,
            "brier": 0.3, "ece": 0.4, "intervals": bounds,
            "per_class": {"cool": {"precision": None, "recall": 0.0, "f1": 0.0, "support": 2},
                          "warm": {"precision": 0.5, "recall": 1.0, "f1": 0.67, "support": 2}},
            "confusion": [[0, 2], [0, 2]], "note": None,
            "reliability": [{"confidence": None, "accuracy": None, "n": 0},
                            {"confidence": 0.9, "accuracy": 0.5, "n": 4}],
            "coverage": [{"threshold": 0.9, "coverage": 1.0, "accuracy": 0.5, "n": 4}],
            "unsure": {"threshold": 0.95, "coverage": 0.0, "accuracy": None, "low": None,
                       "high": None, "n": 0},
            "slices": [slice_("flags", EVIL, -0.4, -0.6, -0.1), slice_("faces", "2", 0, -1, 1)],
            "explanations": {"n": 3, "inside": 0.75, "inside_low": 0.6, "inside_high": 0.9,
                             "area": 0.5}}  # fmt: skip
    if regression:
        exam |= {"mae": 12.5, "qwk": 0.25, "group_error": 0.5,
                 "intervals": bounds | {"mae": [10, 15]}}  # fmt: skip
    nothing = {k: None for k in exam} | {"n": 0, "groups": 0, "note": "this part has no pictures"}
    exams = {"val": exam, "test": exam, "wild": exam if wild else nothing}
    fitted = {"kind": kind, "sigma": 7.9, "bins": {}, "note": None} if regression else {
        "kind": kind, "temperature": 1.31, "note": None,
        "before": {"ece": 0.2, "log_loss": 0.9}, "after": {"ece": 0.123, "log_loss": 0.8},
    }  # fmt: skip
    evaluation = {"classes": TITLES, "kind": kind, "ordered": regression, "calibration": fitted}
    write_json(evaluated / "evaluation.json", evaluation | {"parts": exams})

    simple = {"name": "majority", "kind": "majority", "about": EVIL, "seconds": 0.01,
              "parameters": None, "weights": "none", "hyperparameters": {}, "epochs": [],
              "started_ms": 0, "ended_ms": 1}  # fmt: skip
    old = simple | {"name": "tone_vgg", "kind": "network", "weights": "ImageNet",
                    "parameters": 14_000_000, "seconds": 77.4, "epochs": epochs}  # fmt: skip
    write_json(baseline / "baselines.json", [simple, old])
    said = [{"model": model, "part": row["part"], "label": row["label"], "predicted": "warm"}
            for model in ("majority", "tone_vgg") for row in predictions]  # fmt: skip
    write_table(baseline / "predictions.csv", pd.DataFrame(said))

    systems = [("majority", "majority", 0.5), ("tone_vgg", "network", 0.625),
               ("search", "search winner", 0.5)]  # fmt: skip
    systems += [("champion", "champion", 0.5)] if champion else []
    write_table(promote / "leaderboard.csv", pd.DataFrame([leader(*row, wild) for row in systems]))
    gate = {"gate": "calibration", "passed": True, "value": 0.4, "limit": 0.5, "low": None,
            "high": None, "about": "expected calibration error 0.4 on test"}  # fmt: skip
    lost = gate | {"gate": f"beats tone_vgg{EVIL}", "passed": False, "value": -0.125, "limit": 0,
                   "low": -0.3, "high": 0.1, "about": f"it loses{EVIL}"}  # fmt: skip
    unjudged = gate | {"gate": "slices", "value": None, "about": "no slice is large enough"}
    decision = {"decision": "champion" if champion else "challenger",
                "reason": "there was no champion yet" if champion else "one gate is closed",
                "gates": [gate, unjudged] if champion else [gate, lost, unjudged],
                "candidate": {"test": {"balanced_accuracy": 0.5}}, "champion": None}  # fmt: skip
    write_json(promote / "promotion.json", decision)
    event = {"time": "2026-11-23T07:18:09+00:00", "event": decision["decision"],
             "network": "abcdef012345", "data": {"data/shards/t/train": "0123456789abcdef"},
             "reason": EVIL}  # fmt: skip
    write_json(promote / "history.json", [event])
    haar = {
        "name": "haar",
        "file": None,
        "sha256": None,
        "from": "opencv wheel",
        "note": "no yunet",
    }
    none = {"name": "grabcut", "file": None, "sha256": None, "from": "built in", "note": None}
    write_json(weights / "weights.json", {"detector": haar, "segmenter": none})


def slice_(column, value, gap, low, high):
    return {"column": column, "value": value, "n": 2, "groups": 2, "accuracy": 0.5, "low": 0.1,
            "high": 0.9, "gap": gap, "gap_low": low, "gap_high": high}  # fmt: skip


def leader(system, kind, score, wild):
    row = {"system": system, "kind": kind, "weights": "from scratch", "parameters": 7,
           "seconds": 1.5, "val_balanced_accuracy": score}  # fmt: skip
    for part in ("test", "wild"):
        there = wild or part != "wild"
        row[f"{part}_n"] = 4 if there else 0
        for metric in ("accuracy", "balanced_accuracy"):
            row[f"{part}_{metric}"] = score if there else ""
            row[f"{part}_{metric}_low"] = score - 0.25 if there else ""
            row[f"{part}_{metric}_high"] = score + 0.25 if there else ""
    return row


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
    findings = data / "findings"
    findings.mkdir()
    write_json(findings / "leak.json", finding())
    titles = {"t": f"Tone {EVIL}", "later": "Later"}
    return index(data / "report", titles, findings)


def finding():
    bars = [{"label": f"honest {EVIL}", "value": 0.5, "low": 0.4, "high": 0.6, "chance": 0.25}]
    return {"name": "leak", "title": EVIL, "task": "t", "question": EVIL, "conclusion": EVIL,
            "columns": ["order", EVIL], "rows": [[EVIL, 0.12345], ["b", None]],
            "figure": {"bars": bars}, "command": f"python -m {EVIL}", "seconds": 3.0}  # fmt: skip


class Tags(HTMLParser):
    """Every tag with its attributes, and that what is opened is closed."""

    VOID = {"meta", "img", "br", "path", "rect"}

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
    # 2 samples x 4 steps, 2 copies, 16 faces, 3 flagged, 2 + 2 + 1 doubted, 8 answers, 7 explained
    assert len(pictures) == 8 + 2 + 16 + 3 + 5 + 8 + 7
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
    for piece in ("champion", "There was no champion yet.", "abc123", "1,234", "haar", "no yunet"):
        assert piece in said
    assert "ModelTooLarge" in said and "Traceback" not in said


def test_it_says_that_chance_does_as_well(facts):
    assert "knows nothing about a face that it has never seen" in text(section(facts))
    assert "within the noise of always naming the most frequent class (50%)" in text(section(facts))


def test_mistakes_are_the_wrong_answers(facts):
    wrong, right = facts["answers"]["test"]["wrong"], facts["answers"]["test"]["right"]
    assert wrong["count"] == right["count"] == 2
    assert {(m["label"], m["predicted"]) for m in wrong["pictures"]} == {("cool", "warm")}
    assert {(m["label"], m["predicted"]) for m in right["pictures"]} == {("warm", "warm")}
    assert [m["confidence"] for m in wrong["pictures"]] == [0.9, 0.9]
    assert all(m["map"] and m["inside"] == 0.75 for m in wrong["pictures"])
    assert facts["answers"]["wild"]["right"]["pictures"][-1]["map"] is None  # it has no map


def test_the_surest_answers_come_first(data):
    said = pd.read_csv(data / "evaluate/t/predictions.csv", dtype=str, keep_default_na=False)
    said["confidence"] = [0.5 + n / 100 for n in range(len(said))]
    for sheet in answers(data, "t", "test", said).values():
        sure = [one["confidence"] for one in sheet["pictures"]]
        assert sure == sorted(sure, reverse=True) and len(sure) == 2


def test_it_doubts_the_number_where_nobody_knows_who_is_on_the_photos(tmp_path):
    write_task(tmp_path)
    splits = tmp_path / "splits/t/splits.csv"
    table = pd.read_csv(splits, dtype=str)
    table.loc[table["part"] == "test", "person"] = ""
    write_table(splits, table)
    params = SimpleNamespace(title="Tone", classes=TITLES)
    assert "Who is on the test photos is not known" in text(
        section(read_facts(tmp_path, "t", params))
    )


def test_it_shows_what_simpler_systems_reach(facts):
    said = text(section(facts))
    assert "It does not beat every simpler system: tone_vgg (62%), majority (50%)" in said
    assert "ImageNet" in said and "14,000,000" in said and "77 s" in said
    assert [row["val_accuracy"] for row in facts["baselines"]] == [0.5, 0.5]


def test_gates_history_calibration_and_slices(facts):
    said = text(section(facts))
    assert "1 of 1 gates passed" in said and "not judged" in said
    assert "2026-11-23 07:18" in said and "01234567" in said
    assert "a temperature of 1.31" in said and "from 0.200 to 0.123" in said
    assert "sure enough (95%) of no photo" in said
    assert [row["judged"] for row in facts["slices"]["test"]] == ["worse", ""]
    assert "75% of what the answer rests on lies on the person" in said
    assert "on 4 photos of 3 groups" in said


def test_a_challenger_and_no_champion(tmp_path):
    facts = build(tmp_path, champion=False)
    said = text(section(facts) + overview(facts))
    assert "Not promoted, there is no champion: it did not pass &#34;beats tone_vgg" in said
    assert "1 of 2 gates passed" in said and "−0.125" in said
    assert [row["kind"] for row in facts["systems"]] == ["majority", "network", "search winner"]


def test_a_task_that_names_numbers(tmp_path):
    facts = build(tmp_path, kind="regression", wild=False)
    said = text(section(facts) + overview(facts))
    assert "Mean absolute error by epoch" in said and "Quadratic-weighted kappa" in said
    assert "standard deviation of 7.9" in said and "±12.5" in said
    # test: true 20, 30, 40, 50, said 10, so 10 to 40 too little; the median is 35
    assert facts["exams"]["test"]["mae_baseline"] == 10
    rows = {
        row["name"]: (row["n"], row["mae"], row["bias"]) for row in facts["numbers"]["test"]["rows"]
    }
    assert rows == {"cool": (2, 20, -20), "warm": (2, 30, -30)}
    assert facts["numbers"]["wild"] is None
    assert "20, called 10.0" in said


def test_a_task_without_a_section_is_named(page):
    assert "dvc repro report@later" in text(page)


def test_no_wild_photos_no_rejects_one_trial(tmp_path):
    facts = build(tmp_path, wild=False, rejects=False, failed_trial=False)
    said = text(section(facts) + overview(facts))
    assert "There are no wild photos" in said
    assert "No photo was set aside" in said
    assert "tried 1 network in" in said
    assert "no photos" in text(overview(facts))
