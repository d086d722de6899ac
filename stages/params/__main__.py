"""python -m stages.params: params.yaml, merged and checked -> data/params/<task>.yaml"""

from pathlib import Path

from stages.common.door import enter
from stages.common.files import new_folder
from stages.params.merge import write
from stages.records.params import FOLDER


def main() -> None:
    with new_folder(FOLDER) as out:
        write(Path("params.yaml"), out)


if __name__ == "__main__":
    enter(main)
