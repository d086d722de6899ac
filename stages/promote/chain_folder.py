"""The folder that a promotion is about: a whole chain from photo to answer, and its records."""

import shutil
from pathlib import Path
from typing import Any

from stages.common.files import new_file, write_json
from stages.records.params import Task
from stages.records.weights import WEIGHTS, Weights

PICTURE = ("size", "channels", "background")  # of augment: what `prepare` reads


def build(out: Path, task: str, params: Task, data: Path = Path("data")) -> None:
    """Put the search's winner and all that its answers depend on into the new folder `out`."""
    shutil.copytree(data / "search" / task, out)
    copy_weights(data / "weights" / task, out / "weights")
    shutil.copy(data / "faces" / task / "geometry.json", out)
    for name in ("evaluation.json", "calibration.json"):
        shutil.copy(data / "evaluate" / task / name, out)
    write_json(out / "chain.json", settings(task, params))


def copy_weights(source: Path, out: Path) -> None:
    """Those of the detector and the segmenter: the network has its own in model.keras."""
    found = WEIGHTS.read(source)
    out.mkdir()
    for weight in (found.detector, found.segmenter):
        if weight.file:
            shutil.copy(source / weight.file, out)
    WEIGHTS.write(out, Weights(detector=found.detector, segmenter=found.segmenter))


def keep_others(before: Path, out: Path, champion: Path | None) -> None:
    """Copy into the new `out`, which has the candidate in its role, who else stays of `before`.

    `champion`: the one until now, where it is another network; it is the former one if the
    candidate has taken its place.
    """
    former = before / "former"
    if champion and (out / "champion").is_dir():
        former = champion
    elif champion:
        shutil.copytree(champion, out / "champion")
    if former.is_dir():
        shutil.copytree(former, out / "former")


def settings(task: str, params: Task) -> dict[str, Any]:
    """chain.json: the parameters that decide what is answered to a photo."""
    return {
        "task": task,
        "title": params.title,
        "kind": params.kind,
        "bins": params.model_dump(mode="json")["bins"],
        "unsure_below": params.evaluate.unsure_below,
        "extract": params.extract.model_dump(mode="json"),
        "matte": params.matte.model_dump(mode="json"),
        "augment": params.augment.model_dump(mode="json", include=set(PICTURE)),
    }


def show_card(task: str) -> None:
    """reports/<task>/model_card.md: the champion's, or the challenger's where there is none."""
    folder = Path("data/promote", task)
    role = "champion" if (folder / "champion").is_dir() else "challenger"
    with new_file(Path("reports", task, "model_card.md")) as part:
        shutil.copy(folder / role / "model_card.md", part)
