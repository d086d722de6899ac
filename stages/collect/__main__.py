"""python -m stages.collect age, or: python -m stages.collect forget --help"""

import sys
from pathlib import Path

from stages.collect.collect import collect
from stages.collect.forget import forget_door
from stages.collect.forgotten import FILE, Forgotten
from stages.common.door import door
from stages.common.files import new_folder
from stages.records.params import read


def main(task: str) -> None:
    params = read(task)
    with new_folder(Path("data/raw", task)) as folder:
        collect(
            params.collect,
            list(params.classes),
            folder,
            key=f"tasks.{task}.collect",
            downloads=Path(".downloads"),
            forgotten=Forgotten(FILE, task),
            bins=params.bins,
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["forget"]:
        forget_door(sys.argv[2:])
    else:
        door(main)
