"""An exam's numbers against chance."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, median
from typing import Literal

from stages.records.evaluation import Exam
from stages.records.predictions import Prediction
from stages.report.render import fixed, percent

Judgement = Literal["good", "noise", "bad"]


@dataclass(frozen=True)
class Measure:
    """A number of an exam, its 95 % interval, and what chance reaches."""

    name: str
    value: float
    low: float
    high: float
    chance: float
    is_error: bool = False  # in the unit of the photos' numbers, less is better; else a share

    @property
    def level(self) -> Judgement:
        if self.is_error:
            return _beyond(-self.high, -self.low, -self.chance)
        return _beyond(self.low, self.high, self.chance)

    def text(self, number: float) -> str:
        """`number` as people read such measures."""
        return fixed(number, 1) if self.is_error else percent(number)


@dataclass(frozen=True)
class Result:
    """An exam with its first measures."""

    exam: Exam
    accuracy: Measure | None  # None: there are no photos
    balanced: Measure | None
    error: Measure | None  # of the number; None: a judgement by classes, or unknown numbers

    @property
    def first(self) -> Measure | None:
        """The one that is judged. None: there are no photos."""
        return self.error or self.accuracy

    @property
    def shown(self) -> list[Measure]:
        measures = (self.error,) if self.error else (self.accuracy, self.balanced)
        return [measure for measure in measures if measure]


def result(exam: Exam, median_error: float | None = None) -> Result:
    """`exam` with what chance reaches in it.

    With `median_error`, the function below, it is judged by its number where that was measured.
    """
    accuracy = balanced = error = None
    if exam.accuracy is not None and exam.baseline_accuracy is not None:
        ends = exam.intervals["accuracy"]
        accuracy = Measure("accuracy", exam.accuracy, *ends, exam.baseline_accuracy)
    if exam.balanced_accuracy is not None:
        ends = exam.intervals["balanced_accuracy"]
        classes = sum(found.support > 0 for found in exam.per_class.values())
        balanced = Measure("balanced accuracy", exam.balanced_accuracy, *ends, 1 / classes)
    if exam.mae is not None and median_error is not None:
        ends = exam.intervals["mae"]
        error = Measure("mean absolute error", exam.mae, *ends, median_error, is_error=True)
    return Result(exam, accuracy, balanced, error)


def median_error(predictions: Iterable[Prediction], part: str) -> float | None:
    """The mean absolute error of always naming the part's median; None without numbers.

    As `baseline_accuracy` it takes the answer from the exam itself: the best that knows no photo.
    """
    numbers = [p.value for p in predictions if p.part == part and p.value is not None]
    if not numbers:
        return None
    middle = median(numbers)
    return mean(abs(number - middle) for number in numbers)


def _beyond(low: float, high: float, chance: float) -> Judgement:
    """Where an interval is: above `chance`, around it, or below."""
    if low > chance:
        return "good"
    return "bad" if high < chance else "noise"
