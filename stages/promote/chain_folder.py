"""The folders of data/promote/<task>: a whole chain each, from photo to answer, and its records."""

import logging
import shutil
from pathlib import Path

import pandas as pd

from stages.common.backend import import_keras
from stages.common.files import new_file
from stages.promote.answers import seen_in_training
from stages.records.calibration import CALIBRATION
from stages.records.chain import CARD, CHAIN, ChainSettings, weights
from stages.records.evaluation import EVALUATION, METRICS
from stages.records.faces import GEOMETRY
from stages.records.folders import Folders
from stages.records.look import Look
from stages.records.params import Task
from stages.records.promotion import SEEN, answering
from stages.records.trials import LITE, MODEL, VAL_OUTPUTS
from stages.records.weights import WEIGHTS, Weights

log = logging.getLogger(__name__)


def build(out: Path, at: Folders, params: Task, splits: pd.DataFrame) -> None:
    """Put the search's winner and all that its answers depend on into the new folder `out`."""
    ignored = shutil.ignore_patterns(VAL_OUTPUTS.path(at.search).name)  # decides no answer
    shutil.copytree(at.search, out, ignore=ignored)
    copy_weights(at.weights, weights(out))
    shutil.copy(GEOMETRY.path(at.faces), out)
    shutil.copy(EVALUATION.path(at.evaluate), out)
    shutil.copy(CALIBRATION.path(at.evaluate), out)
    shutil.copy(METRICS.path(at.reports), out)
    CHAIN.write(out, settings(at.task, params))
    SEEN.write(out, seen_in_training(splits))


def copy_weights(source: Path, out: Path) -> None:
    """Those of the detector and the segmenter: the network has its own in model.keras."""
    found = WEIGHTS.read(source)
    out.mkdir()
    for weight in (found.detector, found.segmenter):
        if weight.file:
            shutil.copy(source / weight.file, out)
    WEIGHTS.write(out, Weights(detector=found.detector, segmenter=found.segmenter))


def settings(task: str, params: Task) -> ChainSettings:
    augment = params.augment
    return ChainSettings(
        task=task,
        title=params.title,
        kind=params.kind,
        bins=params.bins,
        unsure_below=params.evaluate.unsure_below,
        extract=params.extract,
        matte=params.matte,
        augment=Look(augment.size, augment.channels, augment.background),
    )


def present_champion(folder: Path) -> Path | None:
    """The champion's folder in `folder` (data/promote/<task>), None if there is none.

    One of an earlier version gets the file that LiteRT reads. One that cannot answer photos any
    more counts as none, with a warning.
    """
    champion = folder / "champion"
    if not champion.is_dir():
        return None
    if not CHAIN.path(champion).is_file() or not WEIGHTS.read(weights(champion)).detector.file:
        log.warning(
            "%s is of an older version and lacks a part of its chain; it is dropped", champion
        )
        return None
    return champion if (champion / LITE).exists() or _converted(champion) else None


def _converted(champion: Path) -> bool:
    """Write the file that LiteRT reads; whether LiteRT can run it."""
    keras = import_keras()
    from stages.networks.export import convert
    from stages.networks.lite import Lite

    convert(keras.saving.load_model(champion / MODEL, compile=False), champion)
    try:
        Lite(champion)
    except ValueError as error:
        log.warning("LiteRT cannot run the champion's network; it is dropped (%s)", error)
        (champion / LITE).unlink()
        return False
    return True


def keep_others(before: Path, out: Path, champion: Path | None) -> None:
    """Copy the champion and the former champion of `before` into the new folder `out`.

    `out` has the candidate already, as champion or challenger. `champion`: the one until now, if
    it is another network; it becomes the former champion if the candidate has taken its place.
    """
    former = before / "former"
    if champion and (out / "champion").is_dir():
        former = champion
    elif champion:
        shutil.copytree(champion, out / "champion")
    if former.is_dir():
        shutil.copytree(former, out / "former")


def show_card(at: Folders) -> None:
    """reports/<task>/model_card.md: the champion's, or the challenger's where there is none."""
    with new_file(at.reports / CARD) as part:
        # Without its mode: DVC's outputs are read-only.
        shutil.copyfile(at.promote / answering(at.promote) / CARD, part)
