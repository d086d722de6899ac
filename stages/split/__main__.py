"""python -m stages.split age"""

from pathlib import Path

from stages.common.door import door
from stages.common.files import new_folder
from stages.common.params import load
from stages.common.tables import read_table, write_table
from stages.split.split import refuse_leaks, split, summary


def main(task: str) -> None:
    params = load().task(task)
    manifest = read_table(Path("data/raw", task, "manifest.csv"))
    mattes = read_table(Path("data/mattes", task, "mattes.csv"))
    photos = manifest[manifest.id.isin(mattes.id[mattes.kept == "1"])]
    table = split(
        photos, list(params.classes), **params.split.model_dump(), key=f"tasks.{task}.split"
    )
    refuse_leaks(table, params.split.duplicate_distance)
    removed = table.part == ""
    with new_folder(Path("data/splits", task)) as folder:
        columns = ["id", "label", "person", "group", "part"]
        write_table(folder / "splits.csv", table.loc[~removed, columns])
        write_table(folder / "removed.csv", table.loc[removed, ["id", "reason"]])
    summary(table)


if __name__ == "__main__":
    door(main)
