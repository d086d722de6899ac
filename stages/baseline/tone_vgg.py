"""The personal colour network: VGG16 and a softmax on top."""

from pathlib import Path

import keras

from stages.baseline import network, vgg
from stages.baseline.system import Fitted, Job

ABOUT = "the original tone network: VGG16 and a softmax, 32 pixels a side"


def fit(job: Job) -> Fitted:
    return network.fit(job, build)


def build(
    shape: tuple[int, int, int], n_classes: int, pretrained: Path | None = None
) -> keras.Model:
    """As `vgg.network`; the original had nothing but the softmax on top."""
    return vgg.network(shape, n_classes, pretrained, dense=0)
