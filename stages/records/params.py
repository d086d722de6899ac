"""params.yaml, checked: every key is known, typed and bounded before a stage starts.

`load()` returns frozen pydantic models, or raises `UserError` naming each wrong key, its value and
what is allowed.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stages.common.errors import UserError

PARTS = ("train", "val", "test", "wild")

Share = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(ge=1)]
Byte = Annotated[int, Field(ge=0, le=255)]
# Sent with each request: whoever runs a server must be able to reach whoever reads it.
Contact = Annotated[str, Field(pattern=r"^[!-~]*[@:][!-~]+$")]  # an e-mail address or a web page


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Weights(Section):
    """Where model weights come from; shared by all tasks."""

    local: Path | None  # a folder looked in before anything is downloaded
    download: bool  # false: never touch the network


def _expression(text: str) -> re.Pattern:
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error


class Folder(Section):
    """One's own photos."""

    source: Literal["folder"]
    folder: Path = Path()  # below collect.path: one sub-folder a class, perhaps wild/ with the same
    person: str | None = None  # regular expression on a file's name; its first group is the person
    columns: str | None = None  # another; each named group is a column of the manifest
    licence: str = ""  # of all of them, and whose they are; "" is told as "not stated"
    author: str = ""

    @field_validator("person")
    @classmethod
    def _one_group(cls, value: str | None) -> str | None:
        if value is not None and _expression(value).groups < 1:
            raise ValueError("needs a (group) that captures the person")
        return value

    @field_validator("columns")
    @classmethod
    def _named_groups(cls, value: str | None) -> str | None:
        if value is not None and not _expression(value).groupindex:
            raise ValueError("needs a (?P<name>group) for each column")
        return value


class Synthetic(Section):
    """How many portraits the embedded renderer draws, and what tells the classes apart."""

    source: Literal["synthetic"]
    signal: Literal["age", "undertone", "geometry"]
    people: Positive  # persons a class in the training pool
    photos: Positive  # photos of each of them
    wild: Annotated[int, Field(ge=0)]  # photos a class from other cameras, of other people
    size: Annotated[int, Field(ge=128, le=2048)]  # pixels
    seed: int


class Urls(Section):
    """Photos at the addresses of a list."""

    source: Literal["urls"]
    file: Path  # below collect.path: CSV with url, label[, person, licence, author, sha256]
    contact: Contact
    allow_private: bool = False  # also from this machine and its own network


class Entry(Section):
    """A Wikimedia Commons category, or a search for files, and who is on all of its pictures."""

    category: str | None = None
    search: str | None = None
    person: str = ""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"category": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of_both(self) -> "Entry":
        if bool(self.category) == bool(self.search):
            raise ValueError("needs either a category or a search")
        return self


class Commons(Section):
    """Photos of Wikimedia Commons."""

    source: Literal["commons"]
    file: Path | None = None  # below collect.path: YAML with what `classes` would hold
    classes: dict[str, list[Entry]] | None = None
    contact: Contact
    licences: Annotated[list[str], Field(min_length=1)]  # "CC BY" also stands for "CC BY 4.0"
    limit: Positive  # photos a class
    api: str = "https://commons.wikimedia.org/w/api.php"
    allow_private: bool = False

    @model_validator(mode="after")
    def _one_list(self) -> "Commons":
        if bool(self.file) == bool(self.classes):
            raise ValueError("needs either a file or classes")
        return self


class HuggingFace(Section):
    """Photos of an image data set on the Hugging Face Hub."""

    source: Literal["huggingface"]
    dataset: str
    config: str | None = None
    revision: str = "main"  # a commit, where the data must never change
    split: str
    image: str  # names of columns
    label: str
    person: str | None = None
    labels: dict[str | int, str] | None = None  # the label column's value: class
    bins: dict[str, tuple[float, float]] | None = None  # class: first and last number
    limit: Positive  # photos a class

    @model_validator(mode="after")
    def _one_map(self) -> "HuggingFace":
        if bool(self.labels) == bool(self.bins):
            raise ValueError("needs either labels or bins")
        return self


Source = Annotated[Folder | Synthetic | Urls | Commons | HuggingFace, Field(discriminator="source")]


class Collect(Section):
    path: Path  # the folder that DVC watches; what the sources read on this disk lies in it
    sources: Annotated[list[Source], Field(min_length=1)]


FaceFlag = Literal["blur", "tiny", "pose", "tint", "monochrome", "dark", "bright", "several"]


class FaceQuality(Section):
    """A face beyond one of these limits is flagged; `extract.quality.measure` has the units."""

    sharpness: Annotated[float, Field(ge=0)]  # below: blur
    width: Annotated[float, Field(ge=0)]  # of the face in the photo's pixels; below: tiny
    turn: Annotated[float, Field(ge=0)]  # above: pose
    tilt: Annotated[float, Field(ge=0, le=180)]  # degrees; above: pose
    tint: Annotated[float, Field(ge=0)]  # above: tint
    colours: Annotated[float, Field(ge=0)]  # below: monochrome
    dark: Annotated[float, Field(ge=0, le=100)]  # lightness of the face; below: dark
    bright: Annotated[float, Field(ge=0, le=100)]  # above: bright
    faces: Positive  # above: several


class Extract(Section):
    detector: Literal["auto", "yunet", "haar"]
    face: Literal["largest", "central"]  # which one, when a photo shows several
    min_score: Annotated[float, Field(gt=0, lt=1)]  # YuNet's confidence
    size: Annotated[int, Field(ge=32, le=1024)]  # side of the square crop in pixels
    face_width: Annotated[float, Field(gt=0.2, le=1)]  # share of the crop that the face is wide
    quality: FaceQuality
    drop: tuple[FaceFlag, ...]  # photos with one of these flags are left out


Deviation = Annotated[float, Field(gt=0)]


class Onnx(Section):
    """Any segmenter in ONNX format: one picture in, a map of where the person is out."""

    file: Annotated[str, Field(pattern=r"^[^/\\]+\.onnx$")]  # in weights.local
    size: Annotated[int, Field(ge=32, le=2048)]  # side of its square input in pixels
    mean: tuple[float, float, float]  # of RGB from 0 to 1: the network sees (colour - mean) / std
    std: tuple[Deviation, Deviation, Deviation]
    channel: Annotated[int, Field(ge=0)]  # of its output, the one that says person
    activation: Literal["none", "sigmoid", "softmax"]  # what makes its output 0 to 1
    mirror: bool  # look at the mirrored picture too and take the mean: twice the time


class CutoutQuality(Section):
    """A cut-out that covers a share of the crop beyond these limits is flagged."""

    small: Share
    large: Annotated[float, Field(gt=0, le=1)]


class Matte(Section):
    session: str  # auto, grabcut, none, onnx, or the name of a rembg model
    onnx: Onnx | None  # what `onnx` runs
    quality: CutoutQuality
    drop: tuple[Literal["small", "large"], ...]

    @model_validator(mode="after")
    def _onnx_is_described(self) -> "Matte":
        if self.session == "onnx" and self.onnx is None:
            raise ValueError("session onnx needs the section onnx: its file, size, mean, ...")
        return self


class Split(Section):
    val: Annotated[float, Field(gt=0, lt=1)]
    test: Annotated[float, Field(gt=0, lt=1)]
    duplicate_similarity: Annotated[float, Field(ge=0.5, le=1)]  # from which two are one shot
    seed: int

    @model_validator(mode="after")
    def _room_for_train(self) -> "Split":
        if self.val + self.test >= 0.9:
            raise ValueError(f"val + test is {self.val + self.test:g}; must stay below 0.9")
        return self


class Augment(Section):
    copies: Positive  # pictures made of each training cut-out
    size: Annotated[int, Field(ge=16, le=512)]  # side in pixels
    channels: Literal["rgb", "gray"]
    background: Literal["keep"] | tuple[Byte, Byte, Byte]  # behind the cut-out, RGB
    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees
    shift: Share  # share of the side
    shear: Annotated[float, Field(ge=0, lt=90)]  # degrees, as in Keras' ImageDataGenerator
    zoom: Share
    flip: bool  # horizontal
    seed: int


class Search(Section):
    max_trials: Positive
    max_minutes: Annotated[float, Field(gt=0)] | None  # of one run; then the best so far is kept
    max_epochs: Positive
    patience: Positive  # epochs without a better objective before a trial stops
    batch_size: Positive
    samples_per_epoch: Positive | None  # a fresh random part of the copies an epoch; null: all
    objective: Literal["val_accuracy", "val_loss"]
    tuner: Literal["greedy", "random", "bayesian", "hyperband"]
    blocks: (
        Literal["auto"]
        | Annotated[
            list[Literal["vanilla", "residual", "squeezenet", "efficient", "resnet", "xception"]],
            Field(min_length=1),
        ]
    )
    pretrained: bool  # ImageNet weights for the blocks that have them
    max_parameters: Positive  # numbers in one network's weights; larger ones are not trained
    final_fit: bool  # train the winner once more, on train and val
    workers: Positive  # trials at a time, each in a process of its own
    seed: Positive  # KerasTuner takes 0 for "none given"


class Network(Section):
    """One of the original team's networks, and its budget."""

    name: Literal["sorting_hat_cnn", "tone_vgg", "age_cnn", "age_vgg16", "idol_dnn"]
    epochs: Positive
    batch_size: Positive
    samples_per_epoch: Positive | None  # as in `Search`


class Baseline(Section):
    """What a search's winner has to beat, besides naming the most frequent class."""

    classical: Literal["hog", "lab"]  # what a linear model sees: gradients, or colours
    networks: tuple[Network, ...]
    seed: Positive


class Evaluate(Section):
    unsure_below: Share  # an answer with less confidence is "unsure"
    slices: tuple[str, ...]  # flags, or columns of faces.csv or manifest.csv


class Promote(Section):
    margin: Share  # balanced accuracy to gain over the champion
    level: Annotated[float, Field(ge=0.5, lt=1)]  # confidence that there is a gain at all
    wild_margin: Share  # balanced accuracy that may be lost on wild
    max_ece: Annotated[float, Field(gt=0, le=1)]  # expected calibration error
    max_slice_gap: Annotated[float, Field(gt=0, le=1)]  # accuracy that no slice surely lacks


class Task(Section):
    title: str
    classes: Annotated[dict[str, str], Field(min_length=2)]  # folder name: name shown to people
    kind: Literal["classification", "regression"]
    bins: dict[str, tuple[float, float]] | None  # class: first and last number; they are ordered
    collect: Collect
    extract: Extract
    matte: Matte
    split: Split
    augment: Augment
    baseline: Baseline
    search: Search
    evaluate: Evaluate
    promote: Promote

    @field_validator("classes")
    @classmethod
    def _class_is_a_folder_name(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name in ("wild", ".", "..") or re.search(r"[/\\:\0]", name):
                raise ValueError(f"class {name!r} cannot be the name of a folder of photos")
        return value

    @model_validator(mode="after")
    def _numbers_make_classes(self) -> "Task":
        if self.kind == "regression":
            if self.bins is None:
                raise ValueError("kind regression needs bins: the numbers of each class")
            if self.search.objective != "val_loss":
                raise ValueError("kind regression has no accuracy: search.objective is val_loss")
        if self.bins is not None:
            edges = [edge for span in self.bins.values() for edge in span]
            if list(self.bins) != list(self.classes) or edges != sorted(edges):
                raise ValueError("bins: one [first, last] for each class, in order, none overlaps")
        return self


class Params(Section):
    weights: Weights
    tasks: Annotated[dict[str, Task], Field(min_length=1)]

    @field_validator("tasks")
    @classmethod
    def _task_is_a_stage_name(cls, value: dict[str, Task]) -> dict[str, Task]:
        for name in value:
            if not re.fullmatch(r"[a-z][a-z0-9_-]*", name):
                raise ValueError(f"task {name!r}: use lower-case letters, digits, - and _")
        return value

    def task(self, name: str) -> Task:
        if name not in self.tasks:
            raise UserError(f"no task {name!r} in params.yaml; there are: {', '.join(self.tasks)}")
        return self.tasks[name]


def load(path: Path = Path("params.yaml")) -> Params:
    """Read and check `path`. Raises `UserError` naming every wrong key."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"cannot read {path}: {error}") from error
    try:
        return Params.model_validate(content)
    except ValidationError as error:
        raise UserError(
            f"{path} is not valid:\n" + "\n".join(map(_explain, error.errors()))
        ) from None


def _explain(error: dict) -> str:
    parts = [str(part) for part in error["loc"]]
    if "sources" in parts:  # pydantic names the source's type after its number
        del parts[parts.index("sources") + 2 : parts.index("sources") + 3]
    # Of a value that may be one of several types, pydantic names each in brackets.
    key = ".".join(part for part in parts if "[" not in part) or "(the whole file)"
    if error["type"] == "extra_forbidden":
        return f"  {key}: unknown key; remove it or correct its spelling"
    if error["type"] == "missing":
        return f"  {key}: missing"
    value = (
        "" if isinstance(error["input"], dict) else f"{error['input']!r}: "
    )  # not a whole section
    return f"  {key}: {value}{error['msg'].removeprefix('Value error, ')}"
