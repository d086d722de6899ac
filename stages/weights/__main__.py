"""python -m stages.weights age"""

from pathlib import Path

import pooch

from stages.common.door import door
from stages.common.files import alone, new_folder
from stages.records.folders import Folders
from stages.records.params import read
from stages.records.weights import WEIGHTS, Weights
from stages.weights.choose import detector, segmenter
from stages.weights.find import Places
from stages.weights.pretrained import pretrained, wanted


def main(task: str) -> None:
    params = read(task)
    weights, onnx = params.weights, params.matte.onnx
    places = Places(weights.local, Path(pooch.os_cache("face-automl")), weights.download)
    # One task downloads at a time, so that no file is fetched twice.
    with alone(places.cache), new_folder(Folders(task).weights) as folder:
        found = Weights(
            detector=detector(params.extract.detector, places, folder),
            segmenter=segmenter(params.matte.session, places, folder, onnx.file if onnx else None),
            pretrained=pretrained(wanted(params), places, folder),
        )
        WEIGHTS.write(folder, found)


if __name__ == "__main__":
    door(main)
