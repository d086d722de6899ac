"""Weights that a task's search or baselines may start from."""

from pathlib import Path

from stages.records.params import Task
from stages.records.weights import Weight
from stages.weights.find import Places, Unavailable, find, find_local, keep
from stages.weights.known import PRETRAINED

LARGE = ("efficient", "resnet", "xception")


def wanted(params: Task) -> dict[str, bool]:
    """Names of `PRETRAINED` that the task asks for -> whether they may be downloaded.

    `search.blocks: auto` takes the large ones only from the user's folder, and downloads nothing
    but SFace's 11 MB and SqueezeNet's 3 MB.
    """
    search = params.search
    names: dict[str, bool] = {}
    if search.pretrained and search.blocks == "auto":
        names = {"squeezenet": True} | dict.fromkeys(LARGE, False)
    elif search.pretrained:
        names = {block: True for block in search.blocks if block in PRETRAINED}
    compares_faces = params.split.same_face is not None
    if search.blocks == "auto" or "face" in search.blocks or compares_faces:
        names["face"] = True
    networks = params.baseline.networks
    return names | {each.starts_from: True for each in networks if each.starts_from}


def pretrained(wanted: dict[str, bool], places: Places, folder: Path) -> dict[str, Weight]:
    """Copy the files of `wanted` (see there) into `folder`; name -> what weights.json says.

    A file that cannot be had is listed with `file` None and a note: only the search or the baseline
    that asks for it knows whether it can do without. Raises `UserError` for a file in the user's
    folder with the right name and the wrong content.
    """
    return {name: _one(name, download, places, folder) for name, download in wanted.items()}


def _one(name: str, download: bool, places: Places, folder: Path) -> Weight:
    published = PRETRAINED[name]
    try:
        if download:
            return keep(name, find(published, places), folder)
        if path := find_local(published, places):
            return keep(name, (path, "local folder"), folder)
        raise Unavailable("search.blocks auto downloads no large file")
    except Unavailable as why:
        note = (
            f"no weights for {name}: {why}. Put {published.file} ({published.url}) into "
            "the folder that weights.local names, and run `dvc repro -f weights`"
        )
        return Weight(name=name, file=None, sha256=None, source="", note=note)
