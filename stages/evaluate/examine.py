"""The exam of a search's winner, on photos that nothing has learnt from."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from stages.common.images import write_png
from stages.evaluate.calibrate import after_final_fit, effect, fit_sigma, fit_temperature, report
from stages.evaluate.evaluate import evaluate
from stages.evaluate.explain import explain
from stages.evaluate.part import Part
from stages.evaluate.slices import Values, slices
from stages.evaluate.tables import calls, curves, predictions
from stages.networks.predict import class_probabilities, outputs
from stages.records.calibration import CALIBRATION, Calibration
from stages.records.evaluation import (
    CURVES,
    EVALUATION,
    MAPS,
    Curve,
    Evaluation,
    Exam,
    Explained,
    confusion,
    map_picture,
)
from stages.records.params import Task
from stages.records.predictions import PREDICTIONS, Prediction
from stages.records.splits import EXAMS
from stages.records.trials import Outputs, Trials

if TYPE_CHECKING:
    import keras

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Examined:
    """All that data/evaluate/<task> holds."""

    evaluation: Evaluation
    calibration: Calibration
    predictions: list[Prediction]
    explained: list[Explained]
    maps: dict[str, np.ndarray]  # id -> occlusion map, grey uint8 (H, W)
    curves: list[Curve]

    def write(self, folder: Path) -> None:
        EVALUATION.write(folder, self.evaluation)
        CALIBRATION.write(folder, self.calibration)
        PREDICTIONS.write(folder, self.predictions)
        MAPS.write(folder, self.explained)
        for id, picture in self.maps.items():
            write_png(map_picture(folder, id), picture)
        for part in EXAMS:
            confusion(part).write(folder, calls(self.predictions, part))
        CURVES.write(folder, self.curves)


def examine(
    model: "keras.Model",
    parts: list[Part],
    params: Task,
    trials: Trials,
    columns: dict[str, Values],
    mattes: Path,
) -> Examined:
    """Calibrate `model` on val, then measure and explain its answers to each part.

    `parts`: test and wild; and val first, unless the network has trained on it. `columns`: what
    slices are made of; `mattes`: data/mattes/<task>.
    """
    regression = params.kind == "regression"
    classes = list(params.classes)
    answered = {part.name: outputs(model, part.pictures, params.kind) for part in parts}
    val = next((part for part in parts if part.name == "val"), None)
    calibration = _calibrate(answered.get("val"), val, params, trials)
    log.info("calibration: %s", calibration)
    before, after = effect(answered["val"].raw, val.labels, calibration) if val else (None, None)

    exams, rows, explained, maps = {}, [], [], {}
    for part in parts:
        raw, numbers = answered[part.name]
        probabilities = class_probabilities(raw, calibration)
        answers = predictions(
            part,
            probabilities,
            classes,
            unsure_below=params.evaluate.unsure_below,
            predicted_values=numbers,
        )
        exam = evaluate(
            part.labels,
            probabilities,
            classes,
            part.groups,
            ordered=params.bins is not None,
            unsure_below=params.evaluate.unsure_below,
            values=None if numbers is None else part.values,
            predicted_values=numbers,
        )
        right = probabilities.argmax(1) == part.labels
        exam = replace(exam, slices=slices(part.ids, right, part.groups, columns))
        if part.name in EXAMS:
            summary, surest, pictures = explain(
                model, part.pictures, answers, mattes, regression=regression
            )
            exam = replace(exam, explanations=summary)
            explained += surest
            maps |= pictures
        _log(part.name, exam)
        exams[part.name] = exam
        rows += answers

    evaluation = Evaluation(
        classes=params.classes,
        kind=params.kind,
        ordered=params.bins is not None,
        calibration=report(calibration, before, after),
        parts=exams,
    )
    return Examined(evaluation, calibration, rows, explained, maps, curves(trials))


def _calibrate(
    answered: Outputs | None, val: Part | None, params: Task, trials: Trials
) -> Calibration:
    """`answered`: what the network answers to `val`."""
    bins = params.bins if params.kind == "regression" else None
    if val is None or answered is None:
        return after_final_fit(trials, bins)
    if bins is None:
        return fit_temperature(answered.raw, val.labels)
    return fit_sigma(answered.raw, val.values, bins)


def _log(part: str, exam: Exam) -> None:
    if not exam.n:
        log.info("%s: %s", part, exam.note)
        return
    log.info(
        "%s: accuracy %.3f (95 %% interval %.2f to %.2f) on %d pictures, %.3f by always "
        "answering the most frequent class; balanced accuracy %.3f%s",
        part,
        *(exam.accuracy, exam.accuracy_low, exam.accuracy_high, exam.n),
        *(exam.baseline_accuracy, exam.balanced_accuracy),
        f"; {exam.note}" if exam.note else "",
    )
