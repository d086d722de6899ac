"""python -m stages.augment age: training cut-outs to many copies, every part to shards."""

from pathlib import Path

from stages.augment.augment import augment
from stages.common.door import door
from stages.common.tables import read_table
from stages.records.params import read


def main(task: str) -> None:
    params = read(task)
    augment(
        read_table(Path("data/splits") / task / "splits.csv"),
        Path("data/mattes") / task / "images",
        Path("data/shards") / task,
        params.augment,
        list(params.classes),
    )


if __name__ == "__main__":
    door(main)
