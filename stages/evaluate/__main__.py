"""python -m stages.evaluate age"""

import json
import logging
from pathlib import Path

import pandas as pd

from stages.common.backend import import_keras
from stages.common.door import door
from stages.common.files import new_file, new_folder
from stages.common.params import load
from stages.common.predict import probabilities
from stages.common.shards import Shards
from stages.common.tables import write_table

log = logging.getLogger(__name__)


def main(task: str) -> None:
    load().task(task)
    keras = import_keras()
    from stages.evaluate.evaluate import evaluate, headline
    from stages.evaluate.tables import confusion_table, curves, prediction_table

    search = Path("data/search", task)
    classes = json.loads((search / "classes.json").read_text(encoding="utf-8"))
    trials = json.loads((search / "trials.json").read_text(encoding="utf-8"))
    model = keras.saving.load_model(search / "model.keras", compile=False)

    # After a final fit the network has trained on val too: nothing to learn from that part then.
    parts = ("test", "wild") if trials["final_fit"] else ("val", "test", "wild")
    results, tables = {}, []
    for part in parts:
        shards = Shards(Path("data/shards", task, part))
        found = probabilities(model, shards)
        results[part] = evaluate(shards.labels, found, list(classes))
        ids = list(shards.index()["id"])
        tables.append(prediction_table(ids, part, shards.labels, found, list(classes)))
        _log(part, results[part])
    predictions = pd.concat(tables, ignore_index=True)

    with new_folder(Path("data/evaluate", task)) as out:
        write_table(out / "predictions.csv", predictions)
        for part in ("test", "wild"):
            write_table(out / f"confusion_{part}.csv", confusion_table(predictions, part))
        write_table(out / "curves.csv", curves(trials))
        _write_json(out / "evaluation.json", {"classes": classes, "parts": results})
    metrics = {part: headline(results[part]) for part in ("test", "wild")}
    with new_file(Path("reports", task, "metrics.json")) as part:
        _write_json(part, metrics)


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


def _write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    door(main)
