"""python -m stages.code: the code that decides each stage's results -> data/code/<room>.txt"""

from stages.code.code import listing, rooms
from stages.common.door import enter
from stages.common.files import new_folder
from stages.records.folders import CODE


def main() -> None:
    with new_folder(CODE) as out:
        for room in rooms():
            (out / f"{room}.txt").write_text(listing(room), encoding="utf-8")


if __name__ == "__main__":
    enter(main)
