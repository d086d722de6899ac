"""The shards that a search learns from: as MLflow lists them, and checked before it starts."""

from pathlib import Path

import yaml

from stages.common.errors import UserError
from stages.records.folders import Folders
from stages.records.params import Task
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


def refuse_unlearnable(params: Task, at: Folders) -> None:
    """Raises `UserError` where photos lack the number or the person that is to be learnt."""
    parts = [Shards(at.shards / part) for part in ("train", "val")]
    if params.kind == "regression":
        _refuse_unknown_values(parts, at, "kind: regression", "kind to classification")
    elif params.search.fine == "value":
        _refuse_unknown_values(parts, at, "search.fine: value", "search.fine to null")
    elif params.search.fine == "person":
        _refuse_unknown_persons(parts[0], at)


def _refuse_unknown_values(parts: list[Shards], at: Folders, key: str, instead: str) -> None:
    if all(part.values is not None for part in parts):
        return
    photos = SPLITS.frame(at.splits)
    lacking = photos.value.isna()
    raise UserError(
        f"tasks.{at.task}.{key} learns numbers, and {lacking.sum()} of {len(photos)} "
        f"photos have none (column `value` of {SPLITS.path(at.splits)}). Let collect.sources tell "
        "it: columns '(?P<value>...)' for a folder's file names, a column `value` in a list of "
        f"addresses, or bins for a data set of numbers; or set {instead}"
    )


def _refuse_unknown_persons(train: Shards, at: Folders) -> None:
    if train.persons is not None and (train.persons >= 0).all():
        return
    photos = SPLITS.frame(at.splits)
    photos = photos[photos.part == "train"]
    lacking = photos.person == ""
    raise UserError(
        f"tasks.{at.task}.search.fine: person learns who is who, and {lacking.sum()} of "
        f"{len(photos)} training photos name nobody (column `person` of {SPLITS.path(at.splits)}). "
        "Let collect.sources tell it: person '(.+)__' for a folder's file names, a column `person` "
        "in a list of addresses or in a data set; or set search.fine to null"
    )
