"""data/export/<task>: the champion as files that other programs run, and what they are worth.

`Card` says which files belong together. A network that holds the face network is two files: the
trunk, which sees the picture, and the head, which answers. Tasks of one crop and picture size have
the same trunk, byte for byte.
"""

from typing import Literal

from stages.records.calibration import Calibration
from stages.records.evaluation import Headline
from stages.records.faces import EyePlaces
from stages.records.json_file import JsonFile
from stages.records.look import Look
from stages.records.promotion import Gate, Role
from stages.records.record import Record
from stages.records.trials import Kind

Runtime = Literal["litert", "onnx"]
# What a network is given: the picture, or its trunk's features of it. Mirrored: the picture turned
# left to right, or the features of that.
View = Literal["features", "mirrored_features", "pixels", "mirrored_pixels"]
Output = Literal["classes", "value"]


class File(Record):
    file: str  # its name in the folder
    part: Literal["network", "trunk", "head"]
    bytes: int
    sha256: str


class Variant(Record, kw_only=True):
    """The network for one runtime, in numbers of one size."""

    runtime: Runtime
    weights: Literal["float32", "int8"]  # int8: stored so, each channel with a scale of its own
    shipped: bool  # the one to take, of its runtime: int8 where it passed its gate
    files: tuple[File, ...]  # in the order in which they run; none: it was refused
    calibration: Calibration
    apart: float  # the most that an output to a test photo is away from Keras'
    milliseconds: float  # a picture, on one core of the machine that exported it
    gate: Gate | None  # of int8

    @property
    def bytes(self) -> int:
        return sum(each.bytes for each in self.files)


class Card(Record, kw_only=True):
    """card.json."""

    task: str
    title: str
    role: Role
    network: str  # sha256 of the promoted model.keras
    kind: Kind
    classes: dict[str, str]  # class -> its name for people, in the order of the outputs
    bins: dict[str, tuple[float, float]] | None  # class -> first and last number
    unsure_below: float  # an answer with a lower probability is "unsure"
    picture: Look  # what the network sees: values 0 to 255
    crop: EyePlaces  # where the eyes are in the crop that the picture is made from
    face_width: float  # a face's share of it
    # Names of the inputs of the head, or of the network, and of its outputs, in their order.
    views: tuple[View, ...]
    outputs: tuple[Output, ...]
    variants: tuple[Variant, ...]
    exam: dict[str, Headline]  # of the promoted network, each part
    drawn: bool | None  # whether it knows drawn faces only; None: not recorded
    photos: dict[str, int]  # licence -> photos that it has learnt from; "unknown" where not kept
    weights: dict[str, str]  # weights of others that it holds or needs -> their licence

    def shipped(self, runtime: Runtime) -> Variant:
        return next(each for each in self.variants if each.runtime == runtime and each.shipped)


EXPORT = JsonFile(
    "card.json", Card, remedy="run `dvc repro export/dvc.yaml:export@<task>` to make it anew"
)
