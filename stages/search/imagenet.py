"""ImageNet weights: which of the big networks can start from them on this machine."""

import logging
import os
import shutil
from pathlib import Path

import keras

from stages.common.params import Weights

log = logging.getLogger(__name__)
# block type -> (Keras' network, the file that Keras downloads into its cache)
FILES = {
    "efficient": ("EfficientNetB0", "efficientnetb0_notop.h5"),
    "resnet": ("ResNet50V2", "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "xception": ("Xception", "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"),
}


def usable(blocks: list[str], weights: Weights) -> list[str]:
    """`blocks` without those whose ImageNet weights cannot be had; one warning names them.

    Looks into Keras' cache, into `weights.local`, and downloads where `weights.download` allows.
    """
    lacking = [block for block in blocks if block in FILES and not _can_be_had(block, weights)]
    if lacking:
        log.warning(
            "no ImageNet weights for %s: not tried. Put %s into the folder weights.local, or let "
            "the machine download them",
            *(", ".join(lacking), ", ".join(FILES[block][1] for block in lacking)),
        )
    return [block for block in blocks if block not in lacking]


def _can_be_had(block: str, weights: Weights) -> bool:
    network, name = FILES[block]
    cached = Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models" / name
    local = weights.local and Path(weights.local, name)
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
