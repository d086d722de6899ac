"""The second network for age groups: VGG16 and dense layers on top."""

from pathlib import Path

import keras

from stages.baseline import network, vgg
from stages.baseline.system import Fitted, Job

ABOUT = "the original transfer network for age: VGG16 and two dense layers with l2"


def fit(job: Job) -> Fitted:
    return network.fit(job, build)


def build(
    shape: tuple[int, int, int], n_classes: int, pretrained: Path | None = None
) -> keras.Model:
    """As `vgg.network`; the original had one to three dense layers."""
    return vgg.network(shape, n_classes, pretrained, dense=2)
