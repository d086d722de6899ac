"""One task's chapter of the report, from the files that the stages left in `data`.

Pictures are sampled: the time it takes does not grow with their number.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.files import read_json
from stages.common.tables import read_table
from stages.records.params import PARTS, Task
from stages.records.shards import Shards
from stages.report.answers import answers
from stages.report.charts import curve_panels
from stages.report.duplicates import duplicates
from stages.report.headline import headline, mae_baseline
from stages.report.photos import REASONS, class_counts, flagged, funnel, set_aside
from stages.report.pictures import network_input, photo_with_box, png
from stages.report.promotion import EXAMS, baseline_rows, gates, history, systems
from stages.report.provenance import provenance
from stages.report.regression import numbers
from stages.report.render import render
from stages.report.search import leaderboard
from stages.report.trust import coverage, reliability, slices
from stages.report.verdict import verdict

SAMPLES = 12  # classes shown step by step
FACES = 72  # crops on the contact sheet, shared out among the classes
FLAGGED = 8  # pictures shown of each quality flag
COPIES = 24


def section(facts: dict[str, Any]) -> str:
    return render("section.html", **facts)


def overview(facts: dict[str, Any]) -> str:
    return render("overview.html", **facts)


def read_facts(data: Path, task: str, params: Task) -> dict[str, Any]:
    """All that the chapter of `task` says, from data/<stage>/<task>/."""
    tables = {
        "manifest": read_table(data / "raw" / task / "manifest.csv"),
        "rejected": read_table(data / "raw" / task / "rejected.csv"),
        "faces": read_table(data / "faces" / task / "faces.csv"),
        "mattes": read_table(data / "mattes" / task / "mattes.csv"),
        "splits": read_table(data / "splits" / task / "splits.csv"),
        "removed": read_table(data / "splits" / task / "removed.csv"),
    }
    search = read_json(data / "search" / task / "trials.json")
    evaluation = read_json(data / "evaluate" / task / "evaluation.json")
    kind = evaluation["kind"]
    predictions = _predictions(data / "evaluate" / task / "predictions.csv")
    exams = {
        part: evaluation["parts"][part] | {"mae_baseline": mae_baseline(predictions, part)}
        for part in EXAMS
    }
    baseline = data / "baseline" / task
    promotion = read_json(data / "promote" / task / "promotion.json")
    beside = systems(data / "promote" / task / "leaderboard.csv")
    tested = tables["splits"][tables["splits"]["part"] == "test"]
    classes = _classes(params.classes)
    aside = set_aside(tables)
    train = Shards(data / "shards" / task / "train")
    index = train.index()
    return {
        "task": task,
        "title": params.title,
        "kind": kind,
        "classes": classes,
        "exams": exams,
        "headlines": {part: headline(exams[part]) for part in EXAMS},
        "verdict": verdict(
            exams["test"],
            exams["wild"],
            people=bool((tested["person"] != "").all()),
            promotion=promotion,
            champion=(data / "promote" / task / "champion").is_dir(),
            systems=beside,
        ),
        "promotion": promotion,
        "gates": gates(promotion),
        "systems": beside,
        "history": history(read_json(data / "promote" / task / "history.json")),
        "calibration": evaluation["calibration"],
        "reliability": [reliability(part, exams[part]) for part in EXAMS if exams[part]["n"]],
        "coverage": coverage(exams),
        "slices": {part: slices(exams[part]) for part in EXAMS},
        "numbers": {part: numbers(predictions, part, classes) for part in EXAMS},
        "answers": {part: answers(data, task, part, predictions) for part in EXAMS},
        "weights": read_json(data / "weights" / task / "weights.json"),
        "funnel": funnel(tables),
        "provenance": provenance(tables["manifest"], tables["rejected"]),
        "duplicates": duplicates(data, task, tables["manifest"]),
        "aside": aside[:REASONS],
        "aside_photos": sum(row["count"] for row in aside),
        "aside_more": sum(row["count"] for row in aside[REASONS:]),
        "flagged": _flagged(data, task, tables),
        "counts": class_counts(tables["splits"], list(classes)),
        "parts": PARTS,
        "input": train.shape[1:],
        "train_pictures": len(train),
        "samples": _samples(data, task, classes, tables, train, index),
        "contact": _contact_sheet(data / "faces" / task, classes, tables["faces"]),
        "copies": _copies(train, index, tables["manifest"]),
        "search": search,
        "leaderboard": leaderboard(search),
        "charts": curve_panels(search["trials"], search["best"]),
        "baselines": baseline_rows(
            read_json(baseline / "baselines.json"), read_table(baseline / "predictions.csv")
        ),
    }


def _predictions(path: Path) -> pd.DataFrame:
    """predictions.csv: `confidence` and p_<class> as numbers, all else as text."""
    table = read_table(path)
    sure = [name for name in table if name == "confidence" or name.startswith("p_")]
    return table.astype(dict.fromkeys(sure, float))


def _classes(titles: dict[str, str]) -> dict[str, dict[str, Any]]:
    """name -> title and a hue (degrees), as far from one another as they can be."""
    return {
        name: {"title": title, "hue": round(250 + 360 * k / len(titles)) % 360}
        for k, (name, title) in enumerate(titles.items())
    }


def _samples(
    data: Path,
    task: str,
    classes: dict[str, Any],
    tables: dict[str, pd.DataFrame],
    train: Shards,
    index: pd.DataFrame,
) -> list[dict[str, str]]:
    """A training photo of each class after each step."""
    faces = tables["faces"].set_index("id")
    originals = index[index["copy"] == 0].reset_index(names="row")
    originals["label"] = train.labels[originals["row"]]
    rows = []
    for k, name in enumerate(list(classes)[:SAMPLES]):
        first = originals[originals["label"] == k].iloc[0]
        box = tuple(faces.loc[first["id"], ["x", "y", "w", "h"]].astype(float))
        raw = next((data / "raw" / task / "images").glob(f"{first['id']}.*"))
        rows.append(
            {
                "name": name,
                "raw": photo_with_box(raw, box, 240),
                "face": png(data / "faces" / task / "images" / f"{first['id']}.png", 200),
                "cutout": png(data / "mattes" / task / "images" / f"{first['id']}.png", 200),
                "input": network_input(train.read(np.array([first["row"]]))[0]),
            }
        )
    return rows


def _contact_sheet(folder: Path, classes: dict[str, Any], faces: pd.DataFrame) -> list[dict]:
    """Face crops of each class; ids come from hashes, so the first ones are a random sample."""
    kept = faces[faces["kept"] == "1"].sort_values("id")
    each = max(1, FACES // len(classes))
    sheet = []
    for name in classes:
        ids = kept.loc[kept["label"] == name, "id"]
        crops = [png(folder / "images" / f"{id}.png", 112) for id in ids[:each]]
        sheet.append({"name": name, "photos": len(ids), "crops": crops})
    return sheet


def _flagged(data: Path, task: str, tables: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Some pictures of each flag; of those that were dropped there are none."""
    rows = flagged(tables)
    for row in rows:
        files = [data / row["step"] / task / "images" / f"{id}.png" for id in row["ids"]]
        there = [path for path in files if path.is_file()]
        row["dropped"] = len(files) - len(there)
        row["pictures"] = [png(path, 112) for path in there[:FLAGGED]]
    return rows


def _copies(train: Shards, index: pd.DataFrame, manifest: pd.DataFrame) -> dict[str, Any]:
    """The first copies of one training photo."""
    rows = np.flatnonzero(index["id"] == index["id"][0])
    source = manifest.set_index("id")["name"][index["id"][0]]
    pictures = [network_input(picture) for picture in train.read(rows[:COPIES])]
    return {"source": source, "each": len(rows), "pictures": pictures}
