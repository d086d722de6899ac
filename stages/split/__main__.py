"""python -m stages.split age"""

from pathlib import Path

from stages.common.door import door
from stages.common.files import new_folder
from stages.common.tables import read_table, write_table
from stages.records.params import read
from stages.split.duplicates import find_duplicates
from stages.split.split import refuse_leaks, split, summary


def main(task: str) -> None:
    params = read(task)
    manifest = read_table(Path("data/raw", task, "manifest.csv"))
    mattes = read_table(Path("data/mattes", task, "mattes.csv"))
    photos = manifest[manifest.id.isin(mattes.id[mattes.kept == "1"])]
    duplicates = find_duplicates(
        photos.id,
        Path("data/raw", task, "images"),
        Path("data/faces", task, "images"),
        params.split.duplicate_similarity,
        scratch=Path(".cache/thumbnails", task),
    )
    shares = params.split.model_dump(exclude={"duplicate_similarity"})
    table = split(photos, duplicates, list(params.classes), **shares, key=f"tasks.{task}.split")
    refuse_leaks(table, duplicates)
    removed = table.part == ""
    with new_folder(Path("data/splits", task)) as folder:
        columns = ["id", "label", "person", "group", "part", "value"]
        splits = table[~removed].reindex(columns=columns, fill_value="")  # not all have a value
        write_table(folder / "splits.csv", splits)
        write_table(folder / "removed.csv", table.loc[removed, ["id", "reason"]])
        write_table(folder / "duplicates.csv", duplicates)
    summary(table)


if __name__ == "__main__":
    door(main)
