"""What became of the photos: how many came through each step, and why the others did not."""

from typing import Any

import pandas as pd

from stages.records.params import PARTS

NAMES = 20  # shown of those set aside for one reason
REASONS = 20
FLAGS = {
    "faces": {
        "blur": "blurred",
        "tiny": "few pixels in the photo",
        "pose": "turned or tilted far",
        "tint": "strongly tinted",
        "monochrome": "black and white, or one colour",
        "dark": "under-exposed",
        "bright": "over-exposed",
        "several": "others in the photo",
    },
    "mattes": {"small": "little left of the person", "large": "almost no background found"},
}


def funnel(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
    """Counts after each step. `tables`: manifest, rejected, faces, mattes, splits, removed."""
    splits = tables["splits"]
    offered = len(tables["manifest"]) + len(tables["rejected"])
    steps = [
        ("Photos in", offered),
        ("Readable, unique", len(tables["manifest"])),
        ("Face found", int((tables["faces"]["kept"] == "1").sum())),
        ("Cut out", int((tables["mattes"]["kept"] == "1").sum())),
    ]
    parts = []
    for part in PARTS:
        rows = splits[splits["part"] == part]
        people = rows["person"].replace("", pd.NA).nunique()
        groups = rows["group"].nunique()
        parts.append({"name": part, "photos": len(rows), "people": people, "groups": groups})
    return {"offered": offered, "steps": steps, "parts": parts, "used": len(splits)}


def set_aside(tables: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Photos that were dropped, by step and kind of reason, the most frequent first.

    A kind is a reason without what differs from photo to photo ("same picture as a.jpg").
    """
    name = tables["manifest"].set_index("id")["name"]
    dropped = [tables["rejected"].assign(step="collect")]
    for step, table in (("extract", "faces"), ("matte", "mattes"), ("split", "removed")):
        rows = tables[table]
        if "kept" in rows:
            rows = rows[rows["kept"] != "1"]
        dropped.append(rows.assign(step=step, name=rows["id"].map(name)))
    photos = pd.concat(dropped)[["step", "reason", "name"]]
    photos["kind"] = photos["reason"].str.split(r":| \(| as ", regex=True).str[0]
    rows = [
        {
            "step": step,
            "reason": kind,
            "count": len(group),
            "names": group[["name", "reason"]][:NAMES].to_dict("records"),
        }
        for (step, kind), group in photos.groupby(["step", "kind"], sort=False)
    ]
    return sorted(rows, key=lambda row: -row["count"])


def flagged(tables: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """What looks odd, in faces and cut-outs: flag, what it says, step, and the ids."""
    rows = []
    for step, flags in FLAGS.items():
        named = tables[step]["flags"].str.split()
        for flag, about in flags.items():
            ids = tables[step].loc[named.map(lambda names, flag=flag: flag in names), "id"]
            if len(ids):
                rows.append({"flag": flag, "about": about, "step": step, "ids": sorted(ids)})
    return rows


def class_counts(splits: pd.DataFrame, classes: list[str]) -> dict[str, list[int]]:
    """Photos of each class in train, val, test and wild."""
    table = pd.crosstab(splits["label"], splits["part"])
    table = table.reindex(index=classes, columns=PARTS, fill_value=0)
    return {name: list(map(int, row)) for name, row in zip(classes, table.values, strict=True)}
