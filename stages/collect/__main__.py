"""python -m stages.collect age"""

from pathlib import Path

from stages.collect.collect import collect
from stages.common.door import door
from stages.common.files import new_folder
from stages.common.params import load


def main(task: str) -> None:
    params = load().task(task)
    with new_folder(Path("data/raw", task)) as folder:
        collect(params.collect, list(params.classes), folder, key=f"tasks.{task}.collect")


if __name__ == "__main__":
    door(main)
