"""python -m stages.extract age"""

import json
import logging
from pathlib import Path

from stages.common.door import door
from stages.common.files import new_folder
from stages.common.tables import read_rows, write_rows
from stages.extract.crop import Geometry
from stages.extract.extract import COLUMNS, extract
from stages.records.params import read


def main(task: str) -> None:
    params = read(task).extract
    raw = Path("data/raw") / task
    geometry = Geometry(params.size, params.face_width)
    with new_folder(Path("data/faces") / task) as folder:
        images = folder / "images"
        images.mkdir()
        faces = extract(
            read_rows(raw / "manifest.csv"),
            raw / "images",
            Path("data/weights") / task,
            images,
            geometry,
            which=params.face,
            min_score=params.min_score,
            limits=params.quality,
            drop=params.drop,
            scratch=Path(".cache/faces") / task,
        )
        write_rows(folder / "faces.csv", COLUMNS, faces)
        place = {"size": geometry.size, "eyes": geometry.eyes.round(3).tolist()}
        (folder / "geometry.json").write_text(json.dumps(place) + "\n", encoding="utf-8")
    kept = sum(row["kept"] for row in faces)
    logging.info("%s: a face in %d of %d photos", task, kept, len(faces))


if __name__ == "__main__":
    door(main)
