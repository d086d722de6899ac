"""A Keras network as files: Keras' own, and LiteRT's, which answers without TensorFlow."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np

from stages.common.backend import silent_stderr
from stages.common.errors import UserError
from stages.common.files import new_file
from stages.networks.lite import Lite
from stages.networks.predict import BATCH, outputs
from stages.records.shards import InMemory, Pictures
from stages.records.trials import LITE, MODEL

NEAR = 1e-4  # most that a file's output may be away from Keras', or a ten-thousandth of it


def save(model: keras.Model, folder: Path, pictures: Pictures) -> None:
    """Write both files of `model` into `folder`.

    Raises `UserError` if they answer differently to the first of `pictures`.
    """
    # As a new model: the optimizer's state, twice the size of the weights, stays out.
    model = keras.Model(model.inputs, model.outputs)
    model.save(folder / MODEL)
    convert(model, folder)
    some = InMemory(pictures.read(np.arange(min(BATCH, len(pictures)))))
    for said, says in zip(outputs(model, some), outputs(Lite(folder), some), strict=True):
        if said is not None and says is not None and not np.allclose(said, says, NEAR, NEAR):
            raise UserError(
                f"{folder / LITE} answers differently from {folder / MODEL}, by up to "
                f"{np.abs(said - says).max():.2g}; please report this with both files"
            )


def convert(model: keras.Model, folder: Path) -> None:
    """Write LiteRT's file of `model`, which `folder` has as Keras' file."""
    if keras.backend.backend() == "tensorflow":
        with TemporaryDirectory() as scratch, new_file(folder / LITE) as part, silent_stderr():
            model.export(Path(scratch, LITE), format="litert", verbose=False)
            shutil.copy(Path(scratch, LITE), part)
    else:  # only TensorFlow can write it with a free number of pictures
        command = [sys.executable, "-m", __name__, str(folder)]
        environment = os.environ | {"KERAS_BACKEND": "tensorflow"}
        subprocess.run(command, env=environment, check=True)


if __name__ == "__main__":
    where = Path(sys.argv[1])
    convert(keras.saving.load_model(where / MODEL, compile=False), where)
