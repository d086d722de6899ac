"""python -m stages.suspects age"""

import logging
from pathlib import Path

from stages.common.door import door
from stages.common.files import new_folder
from stages.common.tables import read_table, write_table
from stages.records.params import read
from stages.suspects.features import features
from stages.suspects.suspects import suspects


def main(task: str) -> None:
    read(task)
    splits = read_table(Path("data/splits", task, "splits.csv"))
    faces = [Path("data/faces", task, "images", f"{id}.png") for id in splits.id]
    table = suspects(splits, features(faces, Path(".cache/features", task)))
    with new_folder(Path("data/suspects", task)) as folder:
        write_table(folder / "suspects.csv", table)
    logging.info("%s: %d of %d labels are suspect", task, table.suspect.sum(), len(table))


if __name__ == "__main__":
    door(main)
