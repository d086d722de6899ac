"""The shards that a search learns from: as MLflow lists them, and refused where numbers lack."""

from pathlib import Path

import yaml

from stages.common.errors import UserError
from stages.records.folders import Folders
from stages.records.shards import Shards
from stages.records.splits import SPLITS
from stages.records.trials import DataSet


def described(folder: Path, lock: Path) -> DataSet:
    """A part's shards, with DVC's hash of them from `lock`, where it has one."""
    stages = yaml.safe_load(lock.read_text("utf-8"))["stages"] if lock.exists() else {}
    hashes = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    return DataSet(
        path=str(folder),
        md5=hashes.get(str(folder), "unknown"),
        rows=len(Shards(folder)),
        context="training" if folder.name == "train" else "validation",
    )


def refuse_unknown_values(at: Folders) -> None:
    """Raises `UserError` for a regression where some photos have no number."""
    if all(Shards(at.shards / part).values is not None for part in ("train", "val")):
        return
    photos = SPLITS.frame(at.splits)
    lacking = photos.value.isna()
    raise UserError(
        f"tasks.{at.task}.kind: regression learns numbers, and {lacking.sum()} of {len(photos)} "
        f"photos have none (column `value` of {SPLITS.path(at.splits)}). Let collect.sources tell "
        "it: columns '(?P<value>...)' for a folder's file names, a column `value` in a list of "
        "addresses, or bins for a data set of numbers; or set kind to classification"
    )
