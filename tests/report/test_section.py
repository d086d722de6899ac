"""A whole chapter, built from drawn pictures in the folders that the stages write."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest
from msgspec.structs import replace

from stages.common.images import write_png
from stages.records import shards
from stages.records.baselines import BASELINES, Baseline
from stages.records.evaluation import (
    EVALUATION,
    MAPS,
    CalibrationEffect,
    CalibrationReport,
    ClassScores,
    Coverage,
    Evaluation,
    Explained,
    OnPerson,
    ReliabilityBin,
    Slice,
    map_picture,
)
from stages.records.faces import FACES, Crop
from stages.records.findings import Bar, Figure, Finding, finding_file, findings_folder
from stages.records.folders import Folders, picture, pictures
from stages.records.manifest import MANIFEST, REJECTED, Photo, Rejected
from stages.records.mattes import MATTES, Cutout
from stages.records.objective import Objective
from stages.records.params import Split
from stages.records.predictions import (
    BASELINE_PREDICTIONS,
    PREDICTIONS,
    BaselinePrediction,
    Prediction,
)
from stages.records.promotion import HISTORY, LEADERBOARD, PROMOTION, Event, Judged
from stages.records.splits import DUPLICATES, REMOVED, SPLITS, Assignment, Duplicate, Removed
from stages.records.suspects import SUSPECTS, Suspect
from stages.records.trials import TRIALS, Trials
from stages.records.weights import WEIGHTS, Weight, Weights
from stages.report.answers import answers
from stages.report.index import index
from stages.report.photos import Dropped
from stages.report.result import median_error
from stages.report.section import overview, read_chapter, section
from tests.params_yaml import shipped
from tests.report.made import attempt, decision, epoch, exam, gate, standing

EVIL = "<script>alert(1)</script>"
SPLIT = Split(**shipped()["defaults"]["split"])
TITLES = {"cool": f"쿨톤 {EVIL}", "warm": "웜톤"}
PARTS = {"train": 6, "val": 2, "test": 4, "wild": 4}  # photos, half of each class


def write_task(root, *, wild=True, rejects=True, failed_trial=True, champion=True, numbers=False):
    """data/<stage>/t/ as the stages before the report leave it. `numbers`: of a regression."""
    at = Folders("t", root)
    split = [
        Assignment(
            f"{k:016x}",
            label="cool" if number % 2 == 0 else "warm",
            person=f"p{number}",
            group=f"{part}{number}",
            shot=f"{k:016x}",
            part=part,
        )
        for k, (part, number) in enumerate(
            (part, number)
            for part, count in PARTS.items()
            for number in range(count if wild or part != "wild" else 0)
        )
    ]
    write_photos(at, split, rejects)
    write_shards(at, split)
    write_search(at, failed_trial, numbers)
    predictions = write_evaluation(at, split, wild, numbers)
    write_baselines(at, predictions)
    write_promotion(at, wild, champion)
    haar = Weight("haar", file=None, sha256=None, source="opencv wheel", note="no yunet")
    grabcut = Weight("grabcut", file=None, sha256=None, source="built in")
    WEIGHTS.write(at.weights, Weights(haar, grabcut))
    return at


def photo(id, label, name):
    return Photo(
        id=id,
        sha256=id,
        label=label,
        person="",
        source="urls",
        name=name,
        licence=EVIL,
        author=EVIL,
        width=40,
        height=48,
        phash="",
        part="pool",
        credit=EVIL,
        page="javascript:1",
    )


def write_photos(at, split, rejects):
    rng = np.random.default_rng(0)
    for folder in (at.raw, at.faces, at.mattes):
        pictures(folder).mkdir(parents=True)
    for row in split:
        drawn = rng.integers(0, 256, (48, 40, 3), dtype=np.uint8)
        write_png(picture(at.raw, row.id), drawn)
        write_png(picture(at.faces, row.id), drawn[:32, :32])
        write_png(picture(at.mattes, row.id), np.dstack([drawn[:32, :32], drawn[:32, :32, 0]]))
    manifest = [photo(s.id, s.label, f"{s.label}/{s.part} {s.group}{EVIL}.png") for s in split]
    faces = [Crop(s.id, s.label, kept=True, x=4, y=4, w=20, h=20) for s in split]
    mattes = [Cutout(s.id, s.label, "grabcut", coverage=0.5, kept=True) for s in split]
    faces[0] = replace(faces[0], flags=("blur", "several"))
    mattes[0] = replace(mattes[0], flags=("small",))
    rejected, removed = [], []
    if rejects:
        lost = photo("f" * 16, "cool", f"cool/lost{EVIL}.png")
        manifest.append(lost)
        faces.append(Crop(lost.id, lost.label, kept=False, reason="no face found"))
        rejected = [
            Rejected(f"cool/bad {n}.png", "cool", "empty file", "urls", licence="", page="")
            for n in range(25)
        ]
        reasons = [f"its person is in the pool: {n}" for n in range(2)]
        removed = [Removed(f"{10:016x}", reason) for reason in reasons]
    MANIFEST.write(at.raw, manifest)
    REJECTED.write(at.raw, rejected)
    FACES.write(at.faces, faces)
    MATTES.write(at.mattes, mattes)
    SPLITS.write(at.splits, split)
    REMOVED.write(at.splits, removed)
    pairs = [(f"{0:016x}", f"{2:016x}"), (f"{1:016x}", f"{4:016x}")]  # of one label, of two
    found = [Duplicate(a, b, view="photo", mirrored=False, similarity=1.0) for a, b in pairs]
    DUPLICATES.write(at.splits, found)
    doubted = Suspect(f"{3:016x}", "warm", "cool", p_label=0.1, p_likely=0.9, suspect=True)
    SUSPECTS.write(at.suspects, [doubted])


def write_shards(at, split):
    for part, copies in (("train", 2), ("test", 1), ("wild", 1)):
        ids = [row.id for row in split if row.part == part] * copies
        folder = at.shards / part
        folder.mkdir(parents=True)
        shards.create(folder, (len(ids), 16, 16, 3))
        np.save(folder / "labels.npy", np.arange(len(ids)) % 2)
        rows = "".join(f"{id},{n // PARTS[part]}\n" for n, id in enumerate(ids))
        (folder / "index.csv").write_text("id,copy\n" + rows)


def epochs(numbers):
    losses = [{"loss": 1 - e / 4, "val_loss": 1.2 - e / 4} for e in range(3)]
    accuracy = [0.5 + e / 8 for e in range(3)]
    if numbers:
        return [epoch(e, **losses[e], mae=20 - accuracy[e], val_mae=30 - 0.5) for e in range(3)]
    return [epoch(e, **losses[e], accuracy=accuracy[e], val_accuracy=0.5) for e in range(3)]


def write_search(at, failed_trial, numbers):
    good = attempt(
        0,
        epochs(numbers),
        hyperparameters={"filters": "8-16", "rate": 0.01},
        score=0.7,
        best_epoch=2,
        seconds=3.0,
        parameters=1234,
    )
    bad = replace(
        good,
        trial=1,
        status="FAILED",
        score=None,
        best_epoch=None,
        epochs=(),
        parameters=None,
        error=f"Traceback\n  line 1\nModelTooLarge: {EVIL}\n",
    )
    found = Trials(
        search_id="abc123",
        kind="regression" if numbers else "classification",
        objective=Objective.VAL_LOSS,
        params={},
        data=(),
        winner=0,
        stopped=False,
        trials=(good, bad) if failed_trial else (good,),
        earlier=(),
    )
    TRIALS.write(at.search, found)


def write_evaluation(at, split, wild, numbers):
    asked = [row for row in split if row.part != "train"]
    predictions = [
        Prediction(
            row.id,
            part=row.part,
            label=row.label,
            predicted="warm",  # so every cool photo is a mistake
            confidence=0.9,
            answer="unsure",
            group=row.group,
            value=10.0 * k if numbers else None,
            predicted_value=10.0 if numbers else None,
            probabilities={"cool": 0.1, "warm": 0.9},
        )
        for k, row in enumerate(asked)
    ]
    PREDICTIONS.write(at.evaluate, predictions)
    explained = [p for p in predictions if p.part != "val"][:-1]  # the last one has no map
    map_picture(at.evaluate, "").parent.mkdir()
    for p in explained:
        write_png(map_picture(at.evaluate, p.id), np.full((16, 16), 128, np.uint8))
    rows = [
        Explained(
            *(p.id, p.part, p.label, p.predicted, p.confidence),
            inside=0.75,
            area=0.5,
            kind="right" if p.label == p.predicted else "wrong",
        )
        for p in explained
    ]
    MAPS.write(at.evaluate, rows)
    kind = "regression" if numbers else "classification"
    judged = judged_exam(numbers)
    nothing = exam(0, note="this part has no pictures")
    fitted = CalibrationReport(
        kind,
        temperature=1.31,
        before=CalibrationEffect(log_loss=0.9, ece=0.2),
        after=CalibrationEffect(log_loss=0.8, ece=0.123),
    )
    evaluation = Evaluation(
        classes=TITLES,
        kind=kind,
        ordered=numbers,
        calibration=CalibrationReport(kind, sigma=7.9) if numbers else fitted,
        parts={"val": judged, "test": judged, "wild": judged if wild else nothing},
    )
    EVALUATION.write(at.evaluate, evaluation)
    return predictions


def judged_exam(numbers):
    bounds = dict.fromkeys(("accuracy", "balanced_accuracy", "ece"), (0.15, 0.85))
    more = {}
    if numbers:
        bounds["mae"] = (10.0, 15.0)
        more = {"mae": 12.5, "qwk": 0.25, "group_error": 0.5}
    return exam(
        4,
        groups=3,
        accuracy=0.5,
        accuracy_low=0.15,
        accuracy_high=0.85,
        baseline_accuracy=0.5,
        balanced_accuracy=0.5,
        macro_f1=0.33,
        log_loss=1.2,
        brier=0.3,
        ece=0.4,
        intervals=bounds,
        per_class={
            "cool": ClassScores(precision=None, recall=0.0, f1=0.0, support=2),
            "warm": ClassScores(precision=0.5, recall=1.0, f1=0.67, support=2),
        },
        confusion=[[0, 2], [0, 2]],
        reliability=[ReliabilityBin(confidence=0.9, accuracy=0.5, n=4)],
        coverage=[Coverage(threshold=0.9, coverage=1.0, accuracy=0.5, n=4)],
        unsure=Coverage(threshold=0.95, coverage=0.0, accuracy=None, n=0),
        slices=[slice_("flags", EVIL, -0.4, -0.6, -0.1), slice_("faces", "2", 0, -1, 1)],
        explanations=OnPerson(n=3, inside=0.75, inside_low=0.6, inside_high=0.9, area=0.5),
        **more,
    )


def slice_(column, value, gap, low, high):
    ends = {"gap": gap, "gap_low": low, "gap_high": high}
    return Slice(column, value, n=2, groups=2, accuracy=0.5, low=0.1, high=0.9, **ends)


def write_baselines(at, predictions):
    simple = Baseline(
        name="majority",
        kind="majority",
        about=EVIL,
        seconds=0.01,
        parameters=None,
        weights="none",
        hyperparameters={},
        epochs=(),
        started_ms=0,
        ended_ms=1,
        error=None,
    )
    old = replace(
        simple,
        name="tone_vgg",
        kind="network",
        weights="ImageNet",
        parameters=14_000_000,
        seconds=77.4,
        epochs=tuple(epochs(numbers=False)),
    )
    BASELINES.write(at.baseline, [simple, old])
    said = [
        BaselinePrediction(model, p.id, p.part, p.label, "warm", {})
        for model in ("majority", "tone_vgg")
        for p in predictions
    ]
    BASELINE_PREDICTIONS.write(at.baseline, said)


def write_promotion(at, wild, champion):
    systems = [("majority", "majority", 0.5), ("tone_vgg", "network", 0.625)]
    systems += [("search", "search winner", 0.5)] + [("champion", "champion", 0.5)] * champion
    LEADERBOARD.write(at.promote, [leader(*row, wild) for row in systems])
    first = gate(
        gate="calibration", value=0.4, limit=0.5, about="expected calibration error 0.4 on test"
    )
    lost = gate(
        gate=f"beats tone_vgg{EVIL}",
        passed=False,
        value=-0.125,
        limit=0.0,
        low=-0.3,
        high=0.1,
        about=f"it loses{EVIL}",
    )
    unjudged = gate(gate="slices", value=None, about="no slice is large enough")
    if champion:
        decided = replace(
            decision(first, unjudged, decision="champion"), reason="there was no champion yet"
        )
    else:
        decided = replace(decision(first, lost, unjudged), reason="one gate is closed")
        decided = replace(decided, judged=Judged("abc", 3, 0.1 / 12))
    PROMOTION.write(at.promote, decided)
    event = Event(
        time="2026-11-23T07:18:09+00:00",
        event=decided.decision,
        network="abcdef012345",
        data={"data/shards/t/train": "0123456789abcdef"},
        reason=EVIL,
    )
    HISTORY.write(at.promote, [event])


def leader(system, kind, score, wild):
    figures = {"parameters": 7, "seconds": 1.5, "val_balanced_accuracy": score}
    for part in ("test", "wild") if wild else ("test",):
        figures[f"{part}_n"] = 4
        for metric in (f"{part}_accuracy", f"{part}_balanced_accuracy"):
            figures |= {
                metric: score,
                f"{metric}_low": score - 0.25,
                f"{metric}_high": score + 0.25,
            }
    return standing(system, kind, **({} if wild else {"wild_n": 0}) | figures)


def build(root, **kinds):
    return read_chapter(write_task(root, **kinds), f"Tone {EVIL}", TITLES, SPLIT)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def chapter(root):
    return build(root)


@pytest.fixture(scope="module")
def page(root, chapter):
    out = Folders("t", root).report
    out.mkdir(parents=True)
    (out / "section.html").write_text(section(chapter), encoding="utf-8")
    (out / "overview.html").write_text(overview(chapter), encoding="utf-8")
    finding_file("leak", "t").write(findings_folder(root), finding())
    return index({"t": f"Tone {EVIL}", "later": "Later"}, root)


def finding():
    return Finding(
        name="leak",
        title=EVIL,
        task="t",
        question=EVIL,
        conclusion=EVIL,
        columns=["order", EVIL],
        rows=[[EVIL, 0.12345], ["b", None]],
        figure=Figure(bars=[Bar(f"honest {EVIL}", 0.5, low=0.4, high=0.6, chance=0.25)]),
        command=f"python -m {EVIL}",
        seconds=3.0,
    )


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


def test_it_says_what_happened_to_every_photo(chapter):
    assert chapter.funnel.steps == {
        "Photos in": 42,
        "Readable, unique": 17,
        "Face found": 16,
        "Cut out": 16,
    }
    assert chapter.funnel.used == 16
    flagged = {sheet.row.flag: (sheet.row.step, len(sheet.pictures)) for sheet in chapter.flagged}
    assert flagged == {"blur": ("faces", 1), "several": ("faces", 1), "small": ("mattes", 1)}
    aside = {(row.step, row.reason): row for row in chapter.aside}
    assert aside["collect", "empty file"].count == 25
    assert len(aside["collect", "empty file"].names) == 20
    assert aside["extract", "no face found"].names == [
        Dropped(f"cool/lost{EVIL}.png", "no face found")
    ]
    assert aside["split", "its person is in the pool"].count == 2  # whatever comes after ":"
    assert chapter.counts == {"cool": [3, 1, 2, 2], "warm": [3, 1, 2, 2]}
    assert "and 5 more" in text(section(chapter))


def test_it_shows_search_promotion_and_tools(chapter):
    said = text(section(chapter))
    for piece in ("champion", "There was no champion yet.", "abc123", "1,234", "haar", "no yunet"):
        assert piece in said
    assert "ModelTooLarge" in said and "Traceback" not in said


def test_it_says_that_chance_does_as_well(chapter):
    said = text(section(chapter))
    assert "knows nothing about a face that it has never seen" in said
    assert "within the noise of always naming the most frequent class (50%)" in said


def test_mistakes_are_the_wrong_answers(chapter):
    wrong, right = chapter.answers["test"].wrong, chapter.answers["test"].right
    assert wrong.count == right.count == 2
    shown = [(one.prediction.label, one.prediction.predicted) for one in wrong.pictures]
    assert set(shown) == {("cool", "warm")}
    shown = [(one.prediction.label, one.prediction.predicted) for one in right.pictures]
    assert set(shown) == {("warm", "warm")}
    assert [one.prediction.confidence for one in wrong.pictures] == [0.9, 0.9]
    assert all(one.map and one.inside == 0.75 for one in wrong.pictures)
    assert chapter.answers["wild"].right.pictures[-1].map is None  # it has no map


def test_the_surest_answers_come_first(root, chapter):
    at = Folders("t", root)
    said = [
        replace(p, confidence=0.5 + n / 100) for n, p in enumerate(PREDICTIONS.read(at.evaluate))
    ]
    shown = answers(at, "test", said)
    for sheet in (shown.wrong, shown.right):
        sure = [one.prediction.confidence for one in sheet.pictures]
        assert sure == sorted(sure, reverse=True) and len(sure) == 2


def test_it_doubts_the_number_where_nobody_knows_who_is_on_the_photos(tmp_path):
    at = write_task(tmp_path)
    rows = SPLITS.read(at.splits)
    SPLITS.write(at.splits, [replace(r, person="") if r.part == "test" else r for r in rows])
    said = text(section(read_chapter(at, "Tone", TITLES, SPLIT)))
    assert "Who is on the test photos is not known" in said
    assert "Test photos kept out of training; who is on them is not known" in said


def test_it_says_which_exam_it_is(tmp_path):
    at = write_task(tmp_path)
    said = {
        together: text(section(read_chapter(at, "Tone", TITLES, split)))
        for together in ("person", "shot")
        for split in [SPLIT.model_copy(update={"keep_together": together})]
    }
    assert "Test people never seen" in said["person"]
    assert "it is never in two parts" in said["person"]
    assert "Test other photos of people it may know" in said["shot"]
    assert "python -m experiments.findings person t" in said["shot"]
    assert "it is never in two parts" not in said["shot"]


def test_where_names_are_missing_it_says_what_faces_tell(tmp_path):
    at = write_task(tmp_path)
    SPLITS.write(at.splits, [replace(r, person="") for r in SPLITS.read(at.splits)])
    used = WEIGHTS.read(at.weights)
    face = Weight("face", "sface.onnx", "0" * 64, "download")
    WEIGHTS.write(at.weights, replace(used, pretrained={"face": face}))
    said = text(section(read_chapter(at, "Tone", TITLES, SPLIT)))
    assert "Test people never seen, as far as their faces tell" in said
    assert "nobody on them looks like anybody in training" in said
    off = SPLIT.model_copy(update={"same_face": None})
    said = text(section(read_chapter(at, "Tone", TITLES, off)))
    assert "who is on them is not known" in said


def test_it_shows_what_simpler_systems_reach(chapter):
    said = text(section(chapter))
    assert "It does not beat every simpler system: tone_vgg (62%), majority (50%)" in said
    assert "ImageNet" in said and "14,000,000" in said and "77 s" in said
    assert [row.val_accuracy for row in chapter.baselines] == [0.5, 0.5]


def test_gates_history_calibration_and_slices(chapter):
    said = text(section(chapter))
    assert "1 of 1 gates passed" in said and "not judged" in said
    assert "2026-11-23 07:18" in said and "01234567" in said
    assert "a temperature of 1.31" in said and "from 0.200 to 0.123" in said
    assert "sure enough (95%) of no photo" in said
    assert [row.judged for row in chapter.slices["test"]] == ["worse", ""]
    assert "75% of what the answer rests on lies on the person" in said
    assert "on 4 photos of 3 groups" in said


def test_a_challenger_and_no_champion(tmp_path):
    chapter = build(tmp_path, champion=False)
    said = text(section(chapter) + overview(chapter))
    assert "Not promoted, there is no champion: it did not pass &#34;beats tone_vgg" in said
    assert "These test photos have judged 3 candidates." in said and "this one 0.833%." in said
    assert "1 of 2 gates passed" in said and "−0.125" in said
    kinds = [system.standing.kind for system in chapter.systems]
    assert kinds == ["majority", "network", "search winner"]


def test_a_task_that_names_numbers(tmp_path):
    chapter = build(tmp_path, numbers=True, wild=False)
    assert chapter.beside == {}  # the number is the headline
    said = text(section(chapter) + overview(chapter))
    assert "Mean absolute error by epoch" in said and "Quadratic-weighted kappa" in said
    assert "standard deviation of 7.9" in said and "±12.5" in said
    # test: true 20, 30, 40, 50, said 10, so 10 to 40 too little; the median is 35
    said_of = PREDICTIONS.read(Folders("t", tmp_path).evaluate)
    assert median_error(said_of, "test") == 10 and chapter.headlines["test"].chance == "10.0"
    rows = {row.name: (row.n, row.mae, row.bias) for row in chapter.numbers["test"].rows}
    assert rows == {"cool": (2, 20, -20), "warm": (2, 30, -30)}
    assert chapter.numbers["wild"] is None
    assert "20, called 10.0" in said


def test_a_task_without_a_section_is_named(page):
    assert "dvc repro report@later" in text(page)


def test_no_wild_photos_no_rejects_one_trial(tmp_path):
    chapter = build(tmp_path, wild=False, rejects=False, failed_trial=False)
    said = text(section(chapter) + overview(chapter))
    assert "There are no wild photos" in said
    assert "No photo was set aside" in said
    assert "tried 1 network in" in said
    assert "no photos" in text(overview(chapter))
