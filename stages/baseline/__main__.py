"""python -m stages.baseline age"""

import json
import logging
from pathlib import Path

import numpy as np
import pandas as pd

from stages.baseline.baseline import Result, baselines
from stages.baseline.system import JUDGED
from stages.common.door import door
from stages.common.files import new_folder
from stages.common.tables import write_table
from stages.records.params import PARTS, read
from stages.records.shards import Shards

log = logging.getLogger(__name__)


def main(task: str) -> None:
    params = read(task)
    parts = {part: Shards(Path("data/shards", task, part)) for part in PARTS}
    scratch = Path(".cache/baseline", task)
    results = baselines(params.baseline, params.weights, parts, len(params.classes), scratch)
    table = answers(results, parts, list(params.classes))
    with new_folder(Path("data/baseline", task)) as out:
        write_table(out / "predictions.csv", table)
        records = [result.record for result in results]
        (out / "baselines.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
    for record in records:
        hits = table[table.model == record["name"]].eval("label == predicted").groupby(table.part)
        shown = ", ".join(f"{part} {share:.3f}" for part, share in hits.mean().items())
        log.info("%s: accuracy %s (%.1f s)", record["name"], shown or "none", record["seconds"])


def answers(results: list[Result], parts: dict[str, Shards], classes: list[str]) -> pd.DataFrame:
    """A row a baseline and picture: model, id, part, label, predicted, p_<class> of each class."""
    names = np.array(classes, dtype=object)
    ids = {part: parts[part].index()["id"] for part in JUDGED}
    columns = ["model", "id", "part", "label", "predicted", *(f"p_{name}" for name in classes)]
    tables = [pd.DataFrame(columns=columns)]
    for result in results:
        for part, found in result.probabilities.items():
            known = {
                "model": result.record["name"], "id": ids[part], "part": part,
                "label": names[parts[part].labels], "predicted": names[found.argmax(1)],
            }  # fmt: skip
            shares = {f"p_{name}": found[:, k] for k, name in enumerate(classes)}
            tables.append(pd.DataFrame(known | shares))
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


if __name__ == "__main__":
    door(main)
