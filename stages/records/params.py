"""The parameters: the schema of params.yaml, and one task's parameters as the stages read them.

`python -m stages.params` merges params.yaml's `defaults` into each task, checks the result, and
writes it to data/params/<task>.yaml. Every stage reads that file with `read(task)`. The
descriptions become docs/parameters.md and the JSON schema (`python -m stages.params.describe`).
"""

import math
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, get_args

import yaml
from pydantic import BeforeValidator, Field, model_validator

from stages.common.errors import UserError
from stages.records.flags import CutoutFlag, FaceFlag
from stages.records.predictions import UNSURE
from stages.records.section import Listed, PathName, Positive, Section, Seed, Share, Wrong
from stages.records.sources import Source
from stages.records.splits import Shows, Together
from stages.records.weights import Weights as WeightsList

PARTS = ("train", "val", "test", "wild")
FOLDER = Path("data/params")

Byte = Annotated[int, Field(ge=0, le=255)]
Deviation = Annotated[float, Field(gt=0)]
Edge = Annotated[float, Field(ge=-1e9, le=1e9)]
Bins = dict[str, Annotated[tuple[Edge, Edge], Listed]]  # first and last
Block = Literal[
    "face",
    "edges",
    "colour",
    "vanilla",
    "residual",
    "squeezenet",
    "efficient",
    "resnet",
    "xception",
]


Language = Literal["en", "ko", "ja"]
Title = str | dict[Language, str]


def in_language(title: Title, language: Language) -> str:
    """`title` in `language`, else in English, else in the first one that it has."""
    if isinstance(title, str):
        return title
    return title.get(language) or title.get("en") or next(iter(title.values()))


def _english(value: object) -> object:
    if not isinstance(value, dict):
        return value
    languages = ", ".join(get_args(Language))
    if not value:
        raise ValueError(f"must be a text, or a text for some of the languages {languages}")
    for language, text in value.items():
        if language not in get_args(Language):
            raise Wrong(f"unknown language; there are: {languages}", {(language,): text})
        if not isinstance(text, str) or not text or len(text) > 1000 or _is_broken(text):
            raise Wrong("must be a text of at most 1000 characters", {(language,): text})
    return in_language(value, "en")


def _is_broken(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)  # which no file can hold


# A stage sees one language. The page has the others from `stages.params.merge.titles`.
English = Annotated[str, BeforeValidator(_english, json_schema_input_type=Title)]


class App(Section):
    """The page that `make app` serves."""

    host: str = Field(
        default="127.0.0.1",
        description="The address that it listens on. Any other one than `127.0.0.1` lets other "
        "machines in, without a password.",
    )
    port: int = Field(default=8000, ge=1, le=65535, description="The port that it listens on.")
    max_megabytes: Positive = Field(default=12, description="Size of a photo's file, at most.")
    max_megapixels: int = Field(
        default=40,
        ge=1,
        le=100,
        description="Size of a photo, at most. Decoding one takes about 15 bytes a pixel.",
    )
    concurrency: int = Field(
        default=2,
        ge=1,
        le=64,
        description="Photos that are answered at a time. Up to eight times as many wait; the next "
        "one is asked to come again.",
    )
    inbox: PathName | None = Field(
        default=None,
        description="A folder for photos that a visitor sends with the right answer and with "
        "consent, see [photos.md](photos.md#answers-that-were-wrong). `null`: no photo is ever "
        "kept.",
    )


class Weights(Section):
    """Where networks' weights come from, for all tasks."""

    local: PathName | None = Field(
        description="A folder with downloaded weights, which is looked in first. An error message "
        "that asks for a file says its name. `null`: no such folder."
    )
    download: bool = Field(description="`false`: never touch the network.")


class Collect(Section):
    """Where a task's photos come from."""

    path: PathName = Field(description="The folder that DVC watches. Photos and lists lie in it.")
    sources: list[Source] = Field(
        min_length=1,
        description="Any mix of the sources below, each with its name as `source`. All of them add "
        "to one manifest.",
    )
    keep_metadata: bool = Field(
        False,
        description="Photos keep what their files say besides the picture: place, time, camera, "
        "names, thumbnails. Otherwise that is taken out before DVC has them; pixels, orientation "
        "and colour profile stay.",
    )


class FaceQuality(Section):
    """A face beyond one of these limits gets a flag in `faces.csv` and in the report."""

    sharpness: float = Field(
        ge=0, description="Variance of the Laplacian of the grey face. Below: `blur`."
    )
    width: float = Field(ge=0, description="Width of the face in the photo, pixels. Below: `tiny`.")
    turn: float = Field(
        ge=0,
        description="How far the nose is beside the middle of the eyes, in eye distances: 0 seen "
        "from the front, 0.5 below an eye. Above: `pose`.",
    )
    tilt: float = Field(
        ge=0, le=180, description="Angle of the line through the eyes, degrees. Above: `pose`."
    )
    tint: float = Field(
        ge=0,
        description="Distance of the face's mean colour from skin in daylight, CIELAB units. "
        "Above: `tint`.",
    )
    colours: float = Field(
        ge=0,
        description="Spread of the colours around the main range of hues, CIELAB units. Below: "
        "`monochrome`.",
    )
    dark: float = Field(
        ge=0, le=100, description="Median lightness of the face, 0 to 100. Below: `dark`."
    )
    bright: float = Field(ge=0, le=100, description="The same lightness. Above: `bright`.")
    faces: Positive = Field(description="Faces in the photo. Above: `several`.")


class Extract(Section):
    """From a photo to the crop of one face."""

    detector: Literal["auto", "yunet", "haar"] = Field(
        description="Finds the face. `auto`: YuNet where its weights can be had, else Haar."
    )
    face: Literal["largest", "central"] = Field(
        description="Which face to take where a photo shows several."
    )
    min_score: float = Field(
        gt=0, lt=1, description="Faces of which YuNet is less confident are ignored."
    )
    size: int = Field(ge=32, le=1024, description="Side of the square crop, pixels.")
    face_width: float = Field(
        gt=0.2, le=1, description="Share of the crop's width that the face takes."
    )
    quality: FaceQuality
    drop: Annotated[tuple[FaceFlag, ...], Listed] = Field(
        description="Photos with one of these flags are left out, for example `[blur, tiny]`."
    )


class Onnx(Section):
    """Any segmenter in ONNX format: a picture in, a map of where the person is out."""

    file: str = Field(
        pattern=r"^[^/\\\x00]+\.onnx$", max_length=80, description="A file in `weights.local`."
    )
    size: int = Field(ge=32, le=2048, description="Side of its square input, pixels.")
    mean: Annotated[tuple[float, float, float], Listed] = Field(
        description="Of red, green and blue from 0 to 1. The network sees `(colour - mean) / std`."
    )
    std: Annotated[tuple[Deviation, Deviation, Deviation], Listed] = Field(
        description="See `mean`."
    )
    channel: int = Field(
        ge=0,
        le=1000,
        description="The channel of its output that is the person; the first one is 0.",
    )
    activation: Literal["none", "sigmoid", "softmax"] = Field(
        description="What turns its output into probabilities from 0 to 1."
    )
    mirror: bool = Field(
        description="Average with the answer to the mirrored picture; takes twice the time."
    )


class CutoutQuality(Section):
    """A cut-out beyond one of these limits gets a flag in `mattes.csv` and in the report."""

    small: Share = Field(description="Share of the crop that the person covers. Below: `small`.")
    large: float = Field(gt=0, le=1, description="The same share. Above: `large`.")


class Matte(Section):
    """From a crop to the cut-out of the person."""

    session: str = Field(
        description="What cuts the person out: `selfie`, MediaPipe's small network; `grabcut`: no "
        "network, no download; `u2netp`, `u2net_human_seg` or any other model of rembg; `onnx`: "
        "your own network, see `matte.onnx`; `none`: leave the background. `auto`: `selfie` where "
        "its weights can be had, else `grabcut`."
    )
    onnx: Onnx | None = Field(
        description="The network that `session: onnx` runs. `null`: there is none."
    )
    quality: CutoutQuality
    drop: Annotated[tuple[CutoutFlag, ...], Listed] = Field(
        description="Photos whose cut-outs have one of these flags are left out."
    )

    @model_validator(mode="after")
    def _onnx_is_described(self) -> "Matte":
        if self.session == "onnx" and self.onnx is None:
            said = "session onnx needs the section onnx: its file, size, mean, ..."
            raise Wrong(said, {("session",): "onnx", ("onnx",): None})
        return self


class Split(Section):
    """The parts that the photos are dealt into: train, val and test."""

    val: float = Field(
        gt=0, lt=1, description="Share of each class's photos that the search is judged by."
    )
    test: float = Field(
        gt=0,
        lt=1,
        description="Share of each class's photos for the exam. `val + test` stays below 0.9.",
    )
    keep_together: Together = Field(
        description="What is never in two parts. `person`: all photos of a person, so that the "
        "exam is people never seen. `shot`: near-duplicates only, so that the exam is other photos "
        "of people that the network may know."
    )
    same_face: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        description="Photos without a name count as one person if SFace finds their faces so "
        "similar (cosine, the mean over the photos of two groups). A photo without a name may join "
        "a named person; two names are never joined. `null`: faces are not compared, and nothing "
        "that describes a face is computed here. `keep_together: shot` does not use it."
    )
    duplicate_similarity: float = Field(
        ge=0.5,
        le=1,
        description="Two photos that are at least so similar count as one shot. 0.88 finds copies. "
        "0.65 also finds the frames of a burst: the better choice for photographs (drawn faces "
        "resemble one another more).",
    )
    seed: Seed = Field(description="Another seed deals the photos otherwise.")

    def exam_shows(self, persons: Iterable[str], weights: WeightsList) -> Shows:
        """What the exam on test asks. `persons`: of the test photos, "" where unknown."""
        if self.keep_together == "shot":
            return "other photos of people it may know"
        if all(persons):
            return "people never seen"
        if self.same_face is not None and weights.tells_faces:
            return "people never seen, as far as their faces tell"
        return "photos kept out of training; who is on them is not known"

    @model_validator(mode="after")
    def _room_for_train(self) -> "Split":
        if self.val + self.test >= 0.9:
            total = f"val + test is {self.val + self.test:g}; must stay below 0.9"
            raise Wrong(total, {("val",): self.val, ("test",): self.test})
        return self


class Augment(Section):
    """The pictures that networks are trained on.

    `rotation` to `flip` are those of Keras' `ImageDataGenerator`. The original team's 40, 0.2, 0.2
    and 0.2 scatter faces whose eyes have been levelled.
    """

    copies: Positive = Field(
        description="Pictures of each training cut-out; the first one is the cut-out as it is."
    )
    size: int = Field(
        ge=16,
        le=512,
        description="Side of the pictures that a search learns from, pixels. The original networks "
        "resize them to their own input.",
    )
    channels: Literal["rgb", "gray"] = Field(description="Whether a search sees colours or grey.")
    background: Literal["keep"] | Annotated[tuple[Byte, Byte, Byte], Listed] = Field(
        description="The colour behind the cut-out, `[red, green, blue]`. `keep`: the photo's own "
        "background."
    )
    rotation: float = Field(
        ge=0, le=180, description="Turned by at most so much to either side, degrees."
    )
    shift: Share = Field(description="Moved by at most this share of the side, each way.")
    shear: float = Field(ge=0, lt=90, description="Sheared by at most so much, degrees.")
    zoom: Share = Field(
        description="Width and height scaled by 1 minus to 1 plus this share, each for itself."
    )
    flip: bool = Field(description="Mirror half of the pictures, left to right.")
    seed: Seed = Field(description="Another seed draws other copies.")


class Search(Section):
    """The search for a network."""

    max_trials: Positive = Field(
        description="How many networks to try. A larger number continues the old search; a "
        "smaller one runs nothing."
    )
    max_minutes: Annotated[float, Field(gt=0)] | None = Field(
        description="Minutes after which the search ends with the best network so far. `null`: no "
        "limit."
    )
    max_epochs: Positive = Field(description="Epochs of a trial, at most.")
    patience: Positive = Field(
        description="A trial ends after so many epochs without a better objective."
    )
    batch_size: Positive = Field(description="Pictures in a training step.")
    samples_per_epoch: Positive | None = Field(
        description="Pictures in an epoch, a fresh random part of all copies each time. `null`: "
        "all copies."
    )
    objective: Literal["val_accuracy", "val_loss"] = Field(
        description="The measure by which trials are compared. `kind: regression` needs `val_loss`."
    )
    tuner: Literal["greedy", "random", "bayesian", "hyperband"] = Field(
        description="AutoKeras' tuner, which proposes the networks."
    )
    fine: Literal["person", "value"] | None = Field(
        description="Something finer than the classes, which the network learns and sums to them. "
        "`person`: who it is; every training photo needs a person. `value`: the photo's number, in "
        "steps; needs `bins`, and the network then tells the number too. `null`: the classes alone."
    )
    blocks: Literal["auto"] | Annotated[list[Block], Field(min_length=1)] = Field(
        description="The types of network to try: `face` (SFace, a network that tells people "
        "apart), `edges` (HOG) and `colour` (CIE Lab), whose features are computed once; `vanilla` "
        "(convolutions, separable ones too), `residual` (small, ours), `squeezenet` (1.1, 0.7 "
        "million parameters), AutoKeras' `efficient`, `resnet`, `xception`. `auto`: the first five "
        "on a CPU, all but `squeezenet` on a GPU. Without its weights `face` is not tried, with "
        "one warning."
    )
    pretrained: bool = Field(
        description="Start `squeezenet`, `efficient`, `resnet` and `xception` from ImageNet "
        "weights. Those whose weights cannot be had are not tried, with one warning. `blocks: "
        "auto` then has `squeezenet` too. The weights come from `weights.local` or are "
        "downloaded; with `blocks: auto` only `squeezenet`'s 3 MB are downloaded, and the others "
        "(16 to 94 MB) are used where `weights.local` has them."
    )
    max_parameters: Positive = Field(
        description="Networks with more weights that train than this are not trained."
    )
    feature_copies: Positive = Field(
        description="How many pictures of each training photo, of its `augment.copies`, a network "
        "sees whose first part is frozen. That part is applied to each picture once, which takes "
        "10 ms for `face`; trials then train the rest in seconds, with 5 times `max_epochs`, "
        "`patience` and `samples_per_epoch`."
    )
    ensemble: Positive = Field(
        description="How many networks the answer may be the mean of, mirrored ones too. Others "
        "than the best one are taken where the log loss on val gets better (Caruana et al. 2004). "
        "1: the best one alone."
    )
    final_fit: bool = Field(description="Train the winner once more, on train and val together.")
    workers: int = Field(
        ge=1,
        le=256,
        description="Trials at a time. Several are Ray tasks, on this machine or on many.",
    )
    cpus: Positive | None = Field(
        description="Cores of a Ray task. `null`: this machine's cores, shared out among `workers`."
    )
    gpus: Annotated[float, Field(ge=0)] = Field(
        description="GPUs of a Ray task; `0.5` lets two share one. 0: tasks share all there are."
    )
    seed: Seed = Field(
        ge=1,
        description="Another seed proposes other networks, draws other first weights and shuffles "
        "otherwise.",
    )


class Network(Section):
    """One of the original team's networks and its budget."""

    name: Literal["sorting_hat_cnn", "tone_vgg", "age_cnn", "age_vgg16", "idol_dnn"] = Field(
        description="Which network."
    )
    epochs: Positive = Field(description="Epochs; there is no early stop.")
    batch_size: Positive = Field(description="Pictures in a training step.")
    samples_per_epoch: Positive | None = Field(description="See `search.samples_per_epoch`.")

    @property
    def starts_from(self) -> str | None:
        """The network whose ImageNet weights it wants, a key of `Weights.pretrained`."""
        return "vgg16" if "vgg" in self.name else None


class Baseline(Section):
    """Simpler systems, none of which may surely be better than a search's winner, besides naming
    the most frequent class."""

    classical: Literal["hog", "lab"] = Field(
        description="What a linear model sees: `hog`, directions of edges; `lab`, CIE Lab colours."
    )
    networks: Annotated[tuple[Network, ...], Listed] = Field(
        description="The original team's networks to train, each with its budget. `[]`: none. "
        "`age_vgg16` and `tone_vgg` start from ImageNet weights where they can be had, and the "
        "leaderboard says so; `dvc repro -f weights` looks for them again."
    )
    seed: Seed = Field(
        ge=1, description="Another seed draws other first weights and shuffles otherwise."
    )


class Evaluate(Section):
    """The winner's exam."""

    unsure_below: Share = Field(
        description="An answer with less confidence is `unsure`. 0: no answer is."
    )
    slices: Annotated[tuple[str, ...], Listed] = Field(
        description="Groups of photos whose accuracy is compared with that of the others: `flags` "
        "(one group for each quality flag), or any column of `faces.csv` or `manifest.csv`, "
        "those of your photos' names and lists too. A group needs at least 5 photos inside and 5 "
        "outside."
    )


class Promote(Section):
    """The gates that the winner must pass to become the champion."""

    margin: Share = Field(description="Balanced accuracy to gain over the champion on test.")
    level: float = Field(
        ge=0.5,
        lt=1,
        description="How sure a promotion must be (exact tests over groups). Of all candidates "
        "that one test part judges, luck promotes even one with a chance of at most 1 - `level`: "
        "the first may use a half of that, the next ones 1/6, 1/12, 1/20 and so on, and what a "
        "promoted one had goes to the next. A baseline that is better with this confidence stops "
        "a candidate.",
    )
    wild_margin: Share = Field(
        description="Balanced accuracy that may be lost against the champion on wild."
    )
    max_ece: float = Field(gt=0, le=1, description="Expected calibration error on test, at most.")
    max_slice_gap: float = Field(
        gt=0,
        le=1,
        description="Accuracy that a slice may lack against the other photos. The gate is failed "
        "when a slice surely lacks more.",
    )
    excuse: Annotated[tuple[str, ...], Listed] = Field(
        description="Baselines that may fail. Any other one that fails, for example for lack of "
        "memory, stops every candidate, since nobody knows whether it is better."
    )


class Defaults(Section):
    """What holds for every task that does not say otherwise."""

    kind: Literal["classification", "regression"] = Field(
        description="`classification`: learn the class. `regression`: learn each photo's `value`, "
        "for example an exact age; the classes follow from `bins`."
    )
    bins: Bins | None = Field(
        description="For each class its `[first, last]` number, in the order of `classes`. A photo "
        "whose `value` is not in its class's bin is set aside. `null`: the classes have no order."
    )
    extract: Extract
    matte: Matte
    split: Split
    augment: Augment
    baseline: Baseline
    search: Search
    evaluate: Evaluate
    promote: Promote


class Task(Defaults):
    """All parameters of one task: its own, the defaults for the rest, and the global weights."""

    title: English = Field(
        min_length=1,
        description="The task's name for people: a text, or one for each language, such as "
        "`{en: Age, ko: 나이, ja: 年齢}`. The page shows the visitor's language; the report shows "
        "the English one, or else the first.",
    )
    classes: dict[str, English] = Field(
        min_length=2,
        description="For each class the name of its folder, and its name for people, as `title`. "
        "No two of them may differ by upper and lower case alone, and none is `wild` or `unsure`.",
    )
    collect: Collect
    weights: Weights

    @model_validator(mode="after")
    def _classes_are_folders_of_their_own(self) -> "Task":
        taken = {"wild": "the folder of the final exam", UNSURE: "what an answer may be instead"}
        for name in self.classes:
            key = unicodedata.normalize("NFC", name).casefold()  # as some disks compare names
            if not name.isprintable() or re.search(r"^$|[/\\:]|^[.\s]|\s$", name):
                said = "cannot be the name of a folder of photos"
            elif len(name.encode()) > 200:
                said = "too long for the name of a folder; use at most 200 bytes"
            elif key in taken:
                said = f"is {taken[key]}; choose another name"
            else:
                taken[key] = f"the same folder as {name!r} on some disks"
                continue
            raise Wrong(said, {("classes", name): name})
        return self

    @model_validator(mode="after")
    def _numbers_make_classes(self) -> "Task":
        kind, objective, fine = self.kind, self.search.objective, self.search.fine
        if kind == "regression":
            if self.bins is None:
                said = "kind regression needs bins: the numbers of each class"
                raise Wrong(said, {("kind",): kind, ("bins",): None})
            if objective != "val_loss":
                said = "kind regression has no accuracy: search.objective is val_loss"
                raise Wrong(said, {("search", "objective"): objective, ("kind",): kind})
            if fine is not None:
                said = "kind regression has no finer classes: search.fine is null"
                raise Wrong(said, {("search", "fine"): fine, ("kind",): kind})
        if fine == "value" and self.bins is None:
            said = "search.fine value needs bins: the numbers of each class"
            raise Wrong(said, {("search", "fine"): fine, ("bins",): None})
        if self.bins is not None and list(self.bins) != list(self.classes):
            names = list(self.bins)
            raise Wrong("needs one [first, last] for each class, in order", {("bins",): names})
        before = -math.inf
        for name, (first, last) in (self.bins or {}).items():
            if not before <= first <= last:
                said = "bins are [first, last], in the order of the classes; none overlaps"
                raise Wrong(said, {("bins", name): [first, last]})
            before = last
        return self

    @model_validator(mode="after")
    def _excused_baselines_are_trained(self) -> "Task":
        trained = [self.baseline.classical, *(each.name for each in self.baseline.networks)]
        for index, name in enumerate(self.promote.excuse):
            if name not in trained:
                said = f"no such baseline is trained for this task; there are: {', '.join(trained)}"
                raise Wrong(said, {("promote", "excuse", index): name})
        return self


class Params(Section):
    """All tasks of params.yaml."""

    tasks: dict[str, Task]

    def task(self, name: str) -> Task:
        """Raises `UserError` for a name that params.yaml lacks."""
        if name not in self.tasks:
            raise UserError(f"no task {name!r} in params.yaml; there are: {', '.join(self.tasks)}")
        return self.tasks[name]


def read(task: str, root: Path = Path()) -> Task:
    """The parameters in data/params/<task>.yaml of the project `root`.

    Raises `UserError` for an unknown task, or if the file is missing or damaged.
    """
    path = root / FOLDER / f"{task}.yaml"
    known = sorted(file.stem for file in path.parent.glob("*.yaml"))
    if known and task not in known:
        raise UserError(
            f"no task {task!r} in {path.parent}; there are: {', '.join(known)}. If params.yaml has "
            "it, run `python -m stages.params`"
        )
    try:
        return Task.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        wrong = "is missing"
    except (ValueError, yaml.YAMLError):  # pydantic's ValidationError is a ValueError
        wrong = "is damaged, or of another version of this code"
    raise UserError(f"{path} {wrong}; run `dvc repro` (or `python -m stages.params`)")
