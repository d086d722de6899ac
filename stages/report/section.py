"""One task's chapter of the report, from the files that the stages left.

Pictures are sampled: the time that they take does not grow with their number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stages.records.baselines import BASELINES
from stages.records.calibration import RANGE_LEVEL
from stages.records.evaluation import EVALUATION, CalibrationReport, Exam
from stages.records.folders import Folders, photos, picture
from stages.records.params import Split
from stages.records.predictions import BASELINE_PREDICTIONS, PREDICTIONS
from stages.records.promotion import HISTORY, LEADERBOARD, PROMOTION, Decision, Event
from stages.records.shards import Shards
from stages.records.splits import EXAMS, Shows
from stages.records.trials import TRIALS, Kind, Trials
from stages.records.weights import WEIGHTS, Weights
from stages.report.answers import Answers, answers
from stages.report.charts import Panel, curve_panels
from stages.report.classes import Class, coloured
from stages.report.duplicates import Duplicates, duplicates
from stages.report.headline import Headline, headline
from stages.report.photos import (
    REASONS,
    Aside,
    Flagged,
    Funnel,
    Tables,
    class_counts,
    flagged,
    funnel,
    read_tables,
    set_aside,
)
from stages.report.pictures import network_input, photo_with_box, png
from stages.report.promotion import (
    BaselineRow,
    JudgedGate,
    System,
    baseline_rows,
    gates,
    history,
    systems,
)
from stages.report.provenance import Provenance, provenance
from stages.report.regression import Numbers, numbers
from stages.report.render import render
from stages.report.result import median_error, result
from stages.report.search import Leaderboard, leaderboard
from stages.report.trust import JudgedSlice, coverage, reliability, slices
from stages.report.verdict import verdict

SAMPLES = 12  # classes shown step by step
FACES = 72  # crops on the contact sheet, shared out among the classes
FLAGGED = 8  # pictures shown of each quality flag
COPIES = 24  # shown of one photo


@dataclass(frozen=True)
class Sample:
    """A training photo after each step, as `data:` URIs."""

    name: str  # its class
    raw: str
    face: str
    cutout: str
    input: str


@dataclass(frozen=True)
class Crops:
    """Some face crops of a class, as `data:` URIs."""

    name: str
    photos: int  # of the class in all
    crops: list[str]


@dataclass(frozen=True)
class Copies:
    """The first pictures that augmentation made of one photo, as `data:` URIs."""

    source: str  # the photo's name
    each: int  # pictures made of each photo
    pictures: list[str]


@dataclass(frozen=True)
class FlagSheet:
    row: Flagged
    pictures: list[str]  # `data:` URIs
    dropped: int  # photos that were left out, and have no picture


@dataclass(frozen=True)
class Chapter:
    """All that a task's chapter says, by the names that the templates use.

    Where a field maps parts, these are test and wild.
    """

    task: str
    title: str
    kind: Kind
    classes: dict[str, Class]
    exams: dict[str, Exam]
    headlines: dict[str, Headline | None]
    beside: dict[str, Headline]  # of the number that a classification tells beside the class
    range_level: float  # share of photos that should have their number in the answer's range
    shows: Shows  # of the photos of test
    verdict: list[str]
    promotion: Decision
    gates: list[JudgedGate]
    systems: list[System]
    history: list[Event]
    calibration: CalibrationReport
    reliability: list[Panel]
    coverage: Panel | None
    slices: dict[str, list[JudgedSlice]]
    numbers: dict[str, Numbers | None]
    answers: dict[str, Answers]
    weights: Weights
    funnel: Funnel
    provenance: Provenance
    duplicates: Duplicates
    aside: list[Aside]
    aside_photos: int
    aside_more: int  # photos beyond those of `aside`
    flagged: list[FlagSheet]
    counts: dict[str, list[int]]
    input: tuple[int, ...]  # height, width and channels of the network's pictures
    train_pictures: int
    samples: list[Sample]
    contact: list[Crops]
    copies: Copies
    search: Trials
    leaderboard: Leaderboard
    charts: list[Panel]
    baselines: list[BaselineRow]


def section(chapter: Chapter) -> str:
    return render("section.html", vars(chapter))


def overview(chapter: Chapter) -> str:
    return render("overview.html", vars(chapter))


def read_chapter(at: Folders, title: str, titles: Mapping[str, str], split: Split) -> Chapter:
    """The chapter of a task; `titles`: class -> its name for people.

    `split`: how the photos were dealt out.

    Raises `UserError` for a file that is missing or not as the stages write it.
    """
    tables = read_tables(at)
    search = TRIALS.read(at.search)
    evaluation = EVALUATION.read(at.evaluate)
    predictions = PREDICTIONS.read(at.evaluate)
    promotion = PROMOTION.read(at.promote)
    compared = systems(LEADERBOARD.read(at.promote))
    exams = {part: evaluation.parts[part] for part in EXAMS}
    numeric = {part: result(exam, median_error(predictions, part)) for part, exam in exams.items()}
    if evaluation.kind == "regression":
        results, beside = numeric, {}
    else:
        results = {part: result(exam) for part, exam in exams.items()}
        beside = {part: each for part, each in numeric.items() if each.error}
    classes = coloured(titles)
    aside = set_aside(tables)
    train = Shards(at.shards / "train")
    index = train.index()
    weights = WEIGHTS.read(at.weights)
    shows = split.exam_shows((s.person for s in tables.splits if s.part == "test"), weights)
    return Chapter(
        task=at.task,
        title=title,
        kind=evaluation.kind,
        classes=classes,
        exams=exams,
        headlines={part: headline(each) for part, each in results.items()},
        beside={part: shown for part, each in beside.items() if (shown := headline(each))},
        range_level=RANGE_LEVEL,
        shows=shows,
        verdict=verdict(
            results["test"],
            results["wild"],
            beside=beside,
            shows=shows,
            task=at.task,
            promotion=promotion,
            champion=(at.promote / "champion").is_dir(),
            systems=compared,
        ),
        promotion=promotion,
        gates=gates(promotion),
        systems=compared,
        history=history(HISTORY.read(at.promote)),
        calibration=evaluation.calibration,
        reliability=[reliability(part, exam) for part, exam in exams.items() if exam.n],
        coverage=coverage(exams),
        slices={part: slices(exam) for part, exam in exams.items()},
        numbers={part: numbers(predictions, part, classes) for part in EXAMS},
        answers={part: answers(at, part, predictions) for part in EXAMS},
        weights=weights,
        funnel=funnel(tables),
        provenance=provenance(tables.manifest, tables.rejected),
        duplicates=duplicates(at, tables.manifest),
        aside=aside[:REASONS],
        aside_photos=sum(row.count for row in aside),
        aside_more=sum(row.count for row in aside[REASONS:]),
        flagged=[_flag_sheet(at, row) for row in flagged(tables)],
        counts=class_counts(tables.splits, classes),
        input=train.shape[1:],
        train_pictures=len(train),
        samples=_samples(at, list(classes), tables, train, index),
        contact=_contact_sheet(at, list(classes), tables),
        copies=_copies(train, index, tables),
        search=search,
        leaderboard=leaderboard(search),
        charts=curve_panels(search.trials, search.winner),
        baselines=baseline_rows(
            BASELINES.read(at.baseline), BASELINE_PREDICTIONS.read(at.baseline)
        ),
    )


def _samples(
    at: Folders, classes: Sequence[str], tables: Tables, train: Shards, index: pd.DataFrame
) -> list[Sample]:
    """A training photo of each class."""
    faces = {row.id: row for row in tables.faces}
    files = photos(at.raw)
    samples = []
    for k, name in enumerate(classes[:SAMPLES]):
        row = np.flatnonzero((index["copy"] == 0) & (train.labels == k))[0]
        id = index["id"][row]
        samples.append(
            Sample(
                name,
                raw=photo_with_box(files[id], faces[id], 240),
                face=png(picture(at.faces, id), 200),
                cutout=png(picture(at.mattes, id), 200),
                input=network_input(train.read(np.array([row]))[0]),
            )
        )
    return samples


def _contact_sheet(at: Folders, classes: Sequence[str], tables: Tables) -> list[Crops]:
    """Face crops of each class; ids come from hashes, so the first ones are a random sample."""
    each = max(1, FACES // len(classes))
    sheet = []
    for name in classes:
        ids = sorted(row.id for row in tables.faces if row.kept and row.label == name)
        crops = [png(picture(at.faces, id), 112) for id in ids[:each]]
        sheet.append(Crops(name, len(ids), crops))
    return sheet


def _flag_sheet(at: Folders, row: Flagged) -> FlagSheet:
    files = [picture(at.data(row.step), id) for id in row.ids]
    there = [path for path in files if path.is_file()]
    return FlagSheet(row, [png(path, 112) for path in there[:FLAGGED]], len(files) - len(there))


def _copies(train: Shards, index: pd.DataFrame, tables: Tables) -> Copies:
    """Of the first photo."""
    id = index["id"][0]
    rows = np.flatnonzero(index["id"] == id)
    source = next(photo.name for photo in tables.manifest if photo.id == id)
    pictures = [network_input(picture) for picture in train.read(rows[:COPIES])]
    return Copies(source, len(rows), pictures)
