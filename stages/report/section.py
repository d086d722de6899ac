"""One task's chapter of the report, from the files that the stages left in `data`.

Pictures are sampled: the time it takes does not grow with their number.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.params import PARTS, Task
from stages.common.shards import Shards
from stages.common.tables import read_table
from stages.report.charts import curve_panels
from stages.report.duplicates import duplicates
from stages.report.photos import REASONS, class_counts, flagged, funnel, set_aside
from stages.report.pictures import network_input, photo_with_box, png
from stages.report.provenance import provenance
from stages.report.render import render
from stages.report.search import leaderboard
from stages.report.verdict import level, verdict

SAMPLES = 12  # classes shown step by step
FACES = 72  # crops on the contact sheet, shared out among the classes
FLAGGED = 8  # pictures shown of each quality flag
COPIES = 24
MISTAKES = 12  # of each exam


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
    search = _json(data / "search" / task / "trials.json")
    exams = _json(data / "evaluate" / task / "evaluation.json")["parts"]
    predictions = pd.read_csv(
        data / "evaluate" / task / "predictions.csv",
        dtype={"id": str, "part": str, "label": str, "predicted": str},
        keep_default_na=False,
    )
    promotion = _json(data / "promote" / task / "promotion.json")
    classes = _classes(params.classes)
    aside = set_aside(tables)
    train = Shards(data / "shards" / task / "train")
    index = train.index()
    return {
        "task": task,
        "title": params.title,
        "classes": classes,
        "exams": exams,
        "levels": {part: level(exams[part]) for part in ("test", "wild")},
        "verdict": verdict(exams["test"], exams["wild"]),
        "promotion": promotion,
        "weights": _json(data / "weights" / task / "weights.json"),
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
        "mistakes": {
            part: _mistakes(data / "faces" / task, part, predictions) for part in ("test", "wild")
        },
    }


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


def _mistakes(folder: Path, part: str, predictions: pd.DataFrame) -> dict[str, Any]:
    """The wrong answers that the network was surest of."""
    wrong = predictions[(predictions["part"] == part)]
    wrong = wrong[wrong["label"] != wrong["predicted"]].copy()
    wrong["sure"] = [row[f"p_{row['predicted']}"] for row in wrong.to_dict("records")]
    shown = wrong.sort_values("sure", ascending=False, kind="stable")[:MISTAKES]
    pictures = [
        {
            "picture": png(folder / "images" / f"{row.id}.png", 176),
            "label": row.label,
            "predicted": row.predicted,
            "sure": row.sure,
        }
        for row in shown.itertuples()
    ]
    return {"count": len(wrong), "pictures": pictures}


def _json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
