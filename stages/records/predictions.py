"""Answers to each photo: predictions.csv of `data/evaluate` and of `data/baseline`."""

from typing import Literal

from stages.records.record import Record
from stages.records.table_file import TableFile

UNSURE = "unsure"  # the answer instead of a class whose probability is too low


class Prediction(Record):
    """The winning network's answer. Probabilities are calibrated."""

    id: str
    part: Literal["val", "test", "wild"]
    label: str
    predicted: str  # the likeliest class
    confidence: float  # its probability
    answer: str  # `predicted`, or `UNSURE`
    group: str
    value: float | None  # the photo's number
    predicted_value: float | None  # None: the network tells no number
    probabilities: dict[str, float]  # of each class, columns p_<class>


class BaselinePrediction(Record):
    """A baseline's answer."""

    model: str  # the baseline's name
    id: str
    part: Literal["val", "test", "wild"]
    label: str
    predicted: str
    probabilities: dict[str, float]


PREDICTIONS = TableFile("predictions.csv", Prediction, others="probabilities", prefix="p_")
BASELINE_PREDICTIONS = TableFile(
    "predictions.csv", BaselinePrediction, others="probabilities", prefix="p_"
)
