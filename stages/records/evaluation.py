"""data/evaluate/<task>: what the winner is worth on photos that nothing learnt from.

All intervals are 95 % and come from a bootstrap over groups. None: it cannot be measured.
"""

from pathlib import Path
from typing import Literal

from stages.records.json_file import JsonFile
from stages.records.record import Record
from stages.records.table_file import TableFile
from stages.records.trials import Kind

Interval = tuple[float, float]


class ClassScores(Record):
    precision: float | None
    recall: float | None
    f1: float | None
    support: int  # photos


class ReliabilityBin(Record):
    """Answers of about the same confidence."""

    confidence: float  # mean
    accuracy: float
    n: int


class Coverage(Record, omit_defaults=True):
    """What remains if only answers with a confidence of `threshold` or more are given."""

    threshold: float
    coverage: float | None  # share of the photos that are answered
    accuracy: float | None
    n: int
    low: float | None = None  # of the accuracy
    high: float | None = None


class Slice(Record):
    """Photos that have one value in one column, against all others of the part."""

    column: str
    value: str
    n: int
    groups: int
    accuracy: float
    low: float
    high: float
    gap: float  # accuracy minus that of the others
    gap_low: float
    gap_high: float


class OnPerson(Record):
    """On how much of the person the answers of a sample of photos rest."""

    n: int
    inside: float | None  # share of the occlusion maps that lies on the person
    inside_low: float | None
    inside_high: float | None
    area: float | None  # share of the picture that the person covers


class Exam(Record, kw_only=True):
    """A part's photos as the network answers them."""

    n: int
    groups: int
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    baseline_accuracy: float | None  # always naming the part's most frequent class
    balanced_accuracy: float | None
    macro_f1: float | None
    log_loss: float | None
    brier: float | None
    ece: float | None  # expected calibration error
    qwk: float | None = None  # quadratic-weighted kappa, of ordered classes
    group_error: float | None = None  # mean distance in classes, of ordered classes
    mae: float | None = None  # mean absolute error of the number, in its unit
    in_range: float | None = None  # share of the photos whose number lies in the answer's range
    intervals: dict[str, Interval]  # of each metric
    per_class: dict[str, ClassScores]
    confusion: list[list[int]]  # [i][j]: photos of class i called class j
    reliability: list[ReliabilityBin]
    coverage: list[Coverage]
    unsure: Coverage  # at the threshold of the parameters
    note: str | None
    slices: list[Slice] = []
    explanations: OnPerson | None = None


class CalibrationEffect(Record):
    """Of one calibration on val."""

    log_loss: float | None
    ece: float | None


class CalibrationReport(Record):
    """The calibration with what it did on val; None where nothing was measured."""

    kind: Kind
    temperature: float | None = None
    sigma: float | None = None
    within: float | None = None  # half the width of the numbers' ranges
    note: str | None = None
    before: CalibrationEffect | None = None
    after: CalibrationEffect | None = None


class Evaluation(Record):
    """evaluation.json."""

    classes: dict[str, str]  # class -> its name for people
    kind: Kind
    ordered: bool
    calibration: CalibrationReport
    parts: dict[str, Exam]  # val (not after a final fit), test, wild


class Explained(Record):
    """One of the surest answers, which have an occlusion map, see `map_picture`."""

    id: str
    part: Literal["val", "test", "wild"]
    label: str
    predicted: str
    confidence: float
    inside: float | None
    area: float
    kind: Literal["right", "wrong"]


class Curve(Record):
    """An epoch of the winning trial, for `dvc plots`."""

    trial: int
    epoch: int
    metrics: dict[str, float | None]


class Call(Record):
    """A picture's class and what it was called, for the confusion matrix of `dvc plots`."""

    actual: str
    predicted: str
    part: Literal["val", "test", "wild"]


class Headline(Record, kw_only=True, omit_defaults=True):
    """The few numbers of a part that `dvc metrics show` prints, rounded to 4 digits."""

    n: int
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    balanced_accuracy: float | None
    balanced_accuracy_low: float | None
    balanced_accuracy_high: float | None
    baseline_accuracy: float | None
    macro_f1: float | None
    log_loss: float | None
    ece: float | None
    qwk: float | None = None
    group_error: float | None = None
    mae: float | None = None
    mae_low: float | None = None
    mae_high: float | None = None
    in_range: float | None = None
    unsure_coverage: float | None
    unsure_accuracy: float | None
    recall: dict[str, float | None]  # of each class


EVALUATION = JsonFile("evaluation.json", Evaluation)
METRICS = JsonFile("metrics.json", dict[str, Headline])  # in reports/<task>
MAPS = TableFile("explanations/maps.csv", Explained)
CURVES = TableFile("curves.csv", Curve, others="metrics")


def confusion(part: str) -> TableFile[Call]:
    return TableFile(f"confusion_{part}.csv", Call)


def map_picture(folder: Path, id: str) -> Path:
    """An occlusion map of data/evaluate/<task>: grey, 255 where the answer rests most."""
    return folder / "explanations" / f"{id}.png"
