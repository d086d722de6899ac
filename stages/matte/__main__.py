"""python -m stages.matte age"""

import logging
from pathlib import Path

from stages.common.door import door
from stages.common.files import new_folder
from stages.common.tables import read_rows, write_rows
from stages.matte.matte import COLUMNS, matte
from stages.records.params import read


def main(task: str) -> None:
    params = read(task).matte
    faces = Path("data/faces") / task
    with new_folder(Path("data/mattes") / task) as folder:
        images = folder / "images"
        images.mkdir()
        mattes = matte(
            read_rows(faces / "faces.csv"),
            faces,
            Path("data/weights") / task,
            images,
            onnx=params.onnx,
            limits=params.quality,
            drop=params.drop,
            scratch=Path(".cache/mattes") / task,
        )
        write_rows(folder / "mattes.csv", COLUMNS, mattes)
    kept = sum(row["kept"] for row in mattes)
    logging.info("%s: %d of %d cut-outs kept", task, kept, len(mattes))


if __name__ == "__main__":
    door(main)
