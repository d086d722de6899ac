"""python -m stages.evaluate age"""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.common.backend import import_keras
from stages.common.door import door
from stages.common.files import new_file, new_folder, read_json, write_json
from stages.common.images import write_png
from stages.common.predict import class_probabilities, outputs
from stages.common.tables import read_table, write_table
from stages.records.params import Task, read
from stages.records.shards import Shards

log = logging.getLogger(__name__)


def main(task: str) -> None:
    params = read(task)
    columns = _slice_columns(task, params)  # refuses an unknown one before TensorFlow starts
    keras = import_keras()
    from stages.evaluate.calibrate import effect
    from stages.evaluate.evaluate import evaluate, headline
    from stages.evaluate.explain import explain
    from stages.evaluate.slices import slices
    from stages.evaluate.tables import confusion_table, curves, prediction_table

    search = Path("data/search", task)
    classes = read_json(search / "classes.json")
    trials = read_json(search / "trials.json")
    model = keras.saving.load_model(search / "model.keras", compile=False)
    regression = params.kind == "regression"

    # After a final fit the network has trained on val too: nothing to learn from that part then.
    parts = ("test", "wild") if trials["final_fit"] else ("val", "test", "wild")
    shards = {part: Shards(Path("data/shards", task, part)) for part in parts}
    photos = {part: _photos(task, shards[part]) for part in parts}
    raw = {part: outputs(model, shards[part]) for part in parts}
    calibration = _calibrate(params, trials, raw.get("val"), shards.get("val"), photos.get("val"))
    log.info("calibration: %s", json.dumps(calibration))

    results, tables, maps = {}, [], []
    with new_folder(Path("data/evaluate", task)) as out:
        (out / "explanations").mkdir()
        for part in parts:
            labels, groups = shards[part].labels, photos[part]["group"].to_numpy()
            probabilities = class_probabilities(raw[part], calibration)
            numbers = raw[part][:, 0] if regression else None
            results[part] = evaluate(
                labels,
                probabilities,
                list(classes),
                groups,
                ordered=params.bins is not None,
                unsure_below=params.evaluate.unsure_below,
                values=pd.to_numeric(photos[part]["value"]).to_numpy() if regression else None,
                predicted_values=numbers,
            )
            table = prediction_table(
                photos[part],
                part,
                labels,
                probabilities,
                list(classes),
                unsure_below=params.evaluate.unsure_below,
                predicted_values=numbers,
            )
            right = probabilities.argmax(1) == labels
            results[part]["slices"] = slices(list(table["id"]), right, groups, columns)
            tables.append(table)
            _log(part, results[part])
            if part == "val":
                continue
            cutouts = Path("data/mattes", task, "images")
            summary, shown, pictures = explain(model, shards[part], table, cutouts, params.kind)
            results[part]["explanations"] = summary
            maps.append(shown)
            for id, picture in pictures.items():
                write_png(out / "explanations" / f"{id}.png", picture)
        predictions = pd.concat(tables, ignore_index=True)
        write_table(out / "predictions.csv", predictions)
        write_table(out / "explanations" / "maps.csv", pd.concat(maps, ignore_index=True))
        for part in ("test", "wild"):
            write_table(out / f"confusion_{part}.csv", confusion_table(predictions, part))
        write_table(out / "curves.csv", curves(trials))
        write_json(out / "calibration.json", calibration)
        on_val = {"before": None, "after": None}
        if "val" in parts:
            on_val = effect(raw["val"], shards["val"].labels, calibration)
        evaluation = {
            "classes": classes,
            "kind": params.kind,
            "ordered": params.bins is not None,
            "calibration": calibration | on_val,
            "parts": results,
        }
        write_json(out / "evaluation.json", evaluation)
    metrics = {part: headline(results[part]) for part in ("test", "wild")}
    with new_file(Path("reports", task, "metrics.json")) as part:
        write_json(part, metrics)


def _slice_columns(task: str, params: Task) -> dict[str, pd.Series]:
    from stages.evaluate.slices import slice_columns

    return slice_columns(
        params.evaluate.slices,
        f"tasks.{task}.evaluate.slices",
        manifest=read_table(Path("data/raw", task, "manifest.csv")),
        faces=read_table(Path("data/faces", task, "faces.csv")),
        mattes=read_table(Path("data/mattes", task, "mattes.csv")),
    )


def _photos(task: str, shards: Shards) -> pd.DataFrame:
    """id, group and value of each picture."""
    splits = read_table(Path("data/splits", task, "splits.csv")).set_index("id")
    ids = shards.index()["id"]
    return splits.loc[ids, ["group", "value"]].reset_index()


def _calibrate(
    params: Task,
    trials: dict[str, Any],
    raw: np.ndarray | None,
    val: Shards | None,
    photos: pd.DataFrame | None,
) -> dict[str, Any]:
    """From what the network says of val; `None`: it has trained on it."""
    from stages.evaluate.calibrate import after_final_fit, fit_sigma, fit_temperature

    bins = params.bins if params.kind == "regression" else None
    if raw is None:
        return after_final_fit(trials, bins)
    if bins is None:
        return fit_temperature(raw, val.labels)
    return fit_sigma(raw, pd.to_numeric(photos["value"]).to_numpy(), bins)


def _log(part: str, result: dict) -> None:
    if not result["n"]:
        log.info("%s: %s", part, result["note"])
        return
    log.info(
        "%s: accuracy %.3f (95 %% interval %.2f to %.2f) on %d pictures, %.3f by always "
        "answering the most frequent class; balanced accuracy %.3f%s",
        part,
        *(result[key] for key in ("accuracy", "accuracy_low", "accuracy_high", "n")),
        *(result[key] for key in ("baseline_accuracy", "balanced_accuracy")),
        f"; {result['note']}" if result["note"] else "",
    )


if __name__ == "__main__":
    door(main)
