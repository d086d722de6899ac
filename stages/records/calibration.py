"""calibration.json: how a network's outputs become probabilities and ranges of numbers."""

from stages.records.json_file import JsonFile
from stages.records.record import Record

# Share of photos whose number lies in the range that an answer names: the network's number, and
# `within` below and above it.
RANGE_LEVEL = 0.8


class Temperature(Record, tag_field="kind", tag="classification"):
    """softmax(log p / temperature) (Guo et al. 2017, https://arxiv.org/abs/1706.04599)."""

    temperature: float
    note: str | None = None  # why it could not be fitted on val, or on which answers it was
    within: float | None = None  # half of a range's width; None: no numbers, or too few on val


class Sigma(Record, tag_field="kind", tag="regression"):
    """The network's number is the mean of a normal distribution; a class is the mass in its bin."""

    sigma: float  # standard deviation, in the unit of the photos' numbers
    bins: dict[str, tuple[float, float]]  # class: first and last number
    note: str | None = None
    within: float | None = None


Calibration = Temperature | Sigma
# For type checkers a union is no `type`.
CALIBRATION = JsonFile[Calibration]("calibration.json", Calibration)  # pyright: ignore[reportArgumentType]
