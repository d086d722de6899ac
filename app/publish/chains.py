"""chains.json: what the browser needs to know to answer photos (app/page/chain reads it)."""

from math import ceil, floor
from pathlib import Path

import numpy as np

from app.server.promoted import Network
from stages.common.aligned import EYES, SIDE
from stages.common.errors import UserError
from stages.common.files import sha256
from stages.records.calibration import Calibration
from stages.records.chain import weights
from stages.records.export import Card, View
from stages.records.look import Look
from stages.records.record import Record
from stages.records.trials import MODEL, Kind
from stages.records.weights import WEIGHTS

SEGMENTERS = "none", "grabcut", "selfie"  # that run in a browser


class Segmenter(Record):
    name: str
    file: str | None


class Geometry(Record):
    size: int  # pixels of a crop's side
    face_width: float  # a face's share of it


class Window(Record):
    """A part of a picture, in pixels: its first and its last column and row."""

    left: int
    top: int
    right: int
    bottom: int


class Task(Record, kw_only=True):
    """A chain. Its files are those of `Chains.files`."""

    task: str
    kind: Kind
    labels: tuple[str, ...]
    bins: tuple[tuple[float, float], ...] | None  # first and last number, of each label
    unsure_below: float
    detector: str
    min_score: float
    face: str
    geometry: Geometry
    quality: dict[str, float]
    segmenter: Segmenter
    cutout: dict[str, float]
    look: Look
    trunk: str | None
    head: str
    views: tuple[View, ...]
    window: Window | None  # what the network sees of the picture; None: all of it
    calibration: Calibration


class Chains(Record):
    max_megapixels: int
    files: dict[str, str]  # name -> sha256
    tasks: tuple[Task, ...]


class Models:
    """Files that the page loads, each once, named by its content."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}  # name -> where it is
        self.hashes: dict[str, str] = {}

    def add(self, path: Path) -> str:
        """Its name among `files`."""
        hash = sha256(path)
        name = f"{hash[:16]}{path.suffix}"
        self.files[name], self.hashes[name] = path, hash
        return name


def task(network: Network, chain: Path, exported: Path, card: Card, models: Models) -> Task:
    """`chain`: the network's folder in data/promote; `exported`: the one with `card`.

    Raises `UserError` if the chain has a step that no browser runs, or if `card` is about another
    network.
    """
    settings, used = network.chain.settings, WEIGHTS.read(weights(chain))
    if card.network != sha256(chain / MODEL):
        raise UserError(f"{exported} is of another network than {chain}: export it anew")
    if used.detector.name != "yunet":
        raise UserError(f"{network.task}: no browser runs the detector {used.detector.name}")
    if used.segmenter.name not in SEGMENTERS:
        raise UserError(
            f"{network.task}: no browser runs the segmenter {used.segmenter.name}; set "
            f"matte.session to one of {', '.join(SEGMENTERS)}, and build the network anew"
        )
    cut_by = models.add(used.segmenter.path(weights(chain))) if used.segmenter.file else None
    variant = card.shipped("onnx")
    parts = {each.part: models.add(exported / each.file) for each in variant.files}
    extract, matte = settings.extract, settings.matte
    labels = tuple(network.chain.titles)
    return Task(
        task=network.task,
        kind=settings.kind,
        labels=labels,
        bins=tuple(settings.bins[label] for label in labels) if settings.bins else None,
        unsure_below=settings.unsure_below,
        detector=models.add(used.detector.path(weights(chain))),
        min_score=extract.min_score,
        face=extract.face,
        geometry=Geometry(extract.size, extract.face_width),
        quality=extract.quality.model_dump(),
        segmenter=Segmenter(used.segmenter.name, cut_by),
        cutout=matte.quality.model_dump(),
        look=settings.augment,
        trunk=parts.get("trunk"),
        head=parts.get("head") or parts["network"],
        views=card.views,
        window=window(card) if all(each.endswith("features") for each in card.views) else None,
        calibration=variant.calibration,
    )


def window(card: Card) -> Window:
    """What a face network sees of a picture, and of the picture turned left to right.

    `stages.networks.sface.window` cuts that out.
    """
    size = card.picture.size
    left, right = ((np.array(eye) + 0.5) * size / card.crop.size - 0.5 for eye in card.crop.eyes)
    step = (right[0] - left[0]) / (EYES[1][0] - EYES[0][0])
    first, last = ((left + right) / 2 + step * (end - np.mean(EYES, 0)) for end in (0, SIDE - 1))
    reach = max(1, step)  # further away a pixel counts for nothing
    columns, rows = (
        (max(floor(low - reach) + 1, 0), min(ceil(high + reach), size) - 1)
        for low, high in zip(first, last, strict=True)
    )
    side = min(columns[0], size - 1 - columns[1])
    return Window(side, rows[0], size - 1 - side, rows[1])
