"""ImageNet weights: which networks can start from them on this machine."""

import logging
import os
import shutil
from pathlib import Path

import keras
import pooch
import requests

from stages.common.errors import UserError
from stages.records.params import Weights

log = logging.getLogger(__name__)
# block type -> (Keras' network, the file that Keras downloads into its cache)
FILES = {
    "efficient": ("EfficientNetB0", "efficientnetb0_notop.h5"),
    "resnet": ("ResNet50V2", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "xception": ("Xception", "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    # Keras has no such network; the file is keras-squeezenet's (MIT licence).
    "squeezenet": (None, "squeezenet_weights_tf_dim_ordering_tf_kernels_notop.h5"),
}
SQUEEZENET_URL = "https://github.com/rcmalli/keras-squeezenet/releases/download/v1.0/"
SQUEEZENET_SHA256 = "17154246284f555591549ac2c83e127abfbf4307dc4b0060fdaa2931d0fa38da"


def usable(blocks: list[str], weights: Weights) -> list[str]:
    """`blocks` without those whose ImageNet weights cannot be had; one warning names them.

    Looks into Keras' cache, into `weights.local`, and downloads where `weights.download` allows.
    Raises `UserError` for a file of SqueezeNet's name that is not SqueezeNet's.
    """
    lacking = [block for block in blocks if block in FILES and not _can_be_had(block, weights)]
    if lacking:
        log.warning(
            "no ImageNet weights for %s: not tried. Put %s into the folder weights.local, or let "
            "the machine download them",
            *(", ".join(lacking), ", ".join(FILES[block][1] for block in lacking)),
        )
    return [block for block in blocks if block not in lacking]


def load_squeezenet(network: keras.Model) -> None:
    """Give `network`, SqueezeNet 1.1 without its top, its ImageNet weights, for RGB.

    Raises `UserError` if Keras' cache has not got them: `usable` puts them there.
    """
    file = _cached("squeezenet")
    if not file.exists():
        raise UserError(f"there is no {file}; put it into the folder weights.local")
    network.load_weights(file)  # layer by layer, in their order
    first = next(layer for layer in network.layers if layer.weights)
    kernel, bias = first.get_weights()
    first.set_weights([kernel[:, :, ::-1], bias])  # they come from Caffe, which sees BGR


def _cached(block: str) -> Path:
    home = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser()
    return home / "models" / FILES[block][1]


def _can_be_had(block: str, weights: Weights) -> bool:
    network, name = FILES[block]
    cached = _cached(block)
    local = weights.local and Path(weights.local, name)
    if block == "squeezenet":
        return _squeezenet_can_be_had(cached, local, weights.download)
    if not cached.exists() and local and local.is_file():
        cached.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(local, cached)
    if not cached.exists() and not weights.download:
        return False
    try:
        getattr(keras.applications, network)(weights="imagenet", include_top=False)
    except Exception as error:
        log.debug("no weights for %s", network, exc_info=error)
        return False
    return True


def _squeezenet_can_be_had(cached: Path, local: Path | None, download: bool) -> bool:
    if _is_squeezenet(cached):
        return True
    if local and local.is_file():
        if not _is_squeezenet(local):
            raise UserError(
                f"{local} is not the file it is named after: its sha256 is not "
                f"{SQUEEZENET_SHA256}. Take it from {SQUEEZENET_URL}, or take it away"
            )
        cached.parent.mkdir(parents=True, exist_ok=True)
        part = cached.with_name(f".{cached.name}.{os.getpid()}")  # workers start at the same time
        shutil.copyfile(local, part)
        os.replace(part, cached)
        return True
    if not download:
        return False
    try:
        pooch.retrieve(
            SQUEEZENET_URL + cached.name,
            f"sha256:{SQUEEZENET_SHA256}",
            cached.name,
            cached.parent,
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=(10, 60)),
        )
    except (requests.RequestException, ValueError) as error:  # ValueError: of another sha256
        log.debug("no weights for SqueezeNet", exc_info=error)
        return False
    return True


def _is_squeezenet(file: Path) -> bool:
    return file.is_file() and pooch.file_hash(str(file)) == SQUEEZENET_SHA256
