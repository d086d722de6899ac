"""python -m stages.weights age"""

import json
from pathlib import Path

import pooch

from stages.common.door import door
from stages.common.files import new_folder
from stages.records.params import read
from stages.weights.find import Places
from stages.weights.resolve import resolve


def main(task: str) -> None:
    params = read(task)
    places = Places(
        params.weights.local, Path(pooch.os_cache("face-automl")), params.weights.download
    )
    with new_folder(Path("data/weights") / task) as folder:
        found = resolve(
            params.extract.detector,
            params.matte.session,
            places,
            folder,
            params.matte.onnx and params.matte.onnx.file,
        )
        (folder / "weights.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    door(main)
