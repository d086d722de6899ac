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


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Weights(Section):
    """Where model weights come from; shared by all tasks."""

    local: Path | None  # a folder looked in before anything is downloaded
    download: bool  # false: never touch the network


class Synthetic(Section):
    """How many portraits the embedded renderer draws, and what tells the classes apart."""

    signal: Literal["age", "undertone", "geometry"]
    people: Positive  # persons a class in the training pool
    photos: Positive  # photos of each of them
    wild: Annotated[int, Field(ge=0)]  # photos a class from other cameras, of other people
    size: Annotated[int, Field(ge=128, le=2048)]  # pixels
    seed: int


class Collect(Section):
    source: Literal["synthetic", "folder"]
    path: Path  # folder: one sub-folder a class; synthetic: the renderer's own code
    person: str | None  # regular expression on a photo's file name; its first group is the person
    synthetic: Synthetic

    @field_validator("person")
    @classmethod
    def _one_group(cls, value: str | None) -> str | None:
        try:
            if value is not None and re.compile(value).groups < 1:
                raise ValueError("needs a (group) that captures the person")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value


class Extract(Section):
    detector: Literal["auto", "yunet", "haar"]
    face: Literal["largest", "central"]  # which one, when a photo shows several
    min_score: Annotated[float, Field(gt=0, lt=1)]  # YuNet's confidence
    size: Annotated[int, Field(ge=32, le=1024)]  # side of the square crop in pixels
    face_width: Annotated[float, Field(gt=0.2, le=1)]  # share of the crop that the face is wide


class Matte(Section):
    session: str  # auto, grabcut, none, or the name of a rembg model


class Split(Section):
    val: Annotated[float, Field(gt=0, lt=1)]
    test: Annotated[float, Field(gt=0, lt=1)]
    duplicate_distance: Annotated[int, Field(ge=0, le=16)]  # bits of a 64-bit perceptual hash
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
            list[Literal["vanilla", "residual", "efficient", "resnet", "xception"]],
            Field(min_length=1),
        ]
    )
    pretrained: bool  # ImageNet weights for the blocks that have them
    max_parameters: Positive  # numbers in one network's weights; larger ones are not trained
    final_fit: bool  # train the winner once more, on train and val
    workers: Positive  # trials at a time, each in a process of its own
    seed: Positive  # KerasTuner takes 0 for "none given"


class Promote(Section):
    margin: Annotated[float, Field(ge=0, lt=1)]  # balanced accuracy to gain over the champion


class Task(Section):
    title: str
    classes: Annotated[dict[str, str], Field(min_length=2)]  # folder name: name shown to people
    collect: Collect
    extract: Extract
    matte: Matte
    split: Split
    augment: Augment
    search: Search
    promote: Promote

    @field_validator("classes")
    @classmethod
    def _class_is_a_folder_name(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name in ("wild", ".", "..") or re.search(r"[/\\:\0]", name):
                raise ValueError(f"class {name!r} cannot be the name of a folder of photos")
        return value


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
