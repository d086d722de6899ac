"""A folder as the stage `weights` leaves it."""

import shutil
from pathlib import Path

from cv2.data import haarcascades

from stages.records.weights import WEIGHTS, Weight, Weights
from stages.weights.known import HAAR

CASCADE = Path(haarcascades) / HAAR


def write_weights(folder: Path, segmenter: str = "grabcut", file: str | None = None) -> None:
    """Haar's cascade, and a segmenter whose `file` the test puts there itself."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(CASCADE, folder / "cascade.xml")
    haar = Weight("haar", "cascade.xml", None, "opencv wheel")
    WEIGHTS.write(folder, Weights(haar, Weight(segmenter, file, None, "built in")))
