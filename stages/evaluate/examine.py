"""The exam of a search's winner, on photos that nothing has learnt from."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from stages.common.images import write_png
from stages.evaluate.effect import effect, report
from stages.evaluate.evaluate import evaluate
from stages.evaluate.explain import explain
from stages.evaluate.slices import Values, slices
from stages.evaluate.tables import calls, curves, predictions
from stages.networks.calibrate import fit
from stages.networks.part import Part
from stages.networks.predict import Network, class_probabilities, outputs
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

log = logging.getLogger(__name__)
BEFORE = "fitted on what it answered to val before it was trained on val too"


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
    model: Network,
    parts: list[Part],
    params: Task,
    trials: Trials,
    val_outputs: Outputs | None,
    columns: dict[str, Values],
    mattes: Path,
) -> Examined:
    """Calibrate `model` on val, then measure and explain its answers to each part.

    `parts`: val, test and wild. If the network has trained on val, its answers to val say nothing,
    so val is left out; then `val_outputs`, the answers from before, are what it is calibrated on.
    `columns`: what slices are made of; `mattes`: data/mattes/<task>.
    """
    regression = params.kind == "regression"
    classes = list(params.classes)
    val = parts[0]
    if val_outputs:
        parts = parts[1:]
    answered = {part.name: outputs(model, part.pictures, params.kind) for part in parts}
    on_val = val_outputs or answered["val"]
    bins = params.bins if regression else None
    calibration = fit(on_val, val.labels, val.values, bins)
    if val_outputs:
        notes = filter(None, (BEFORE, calibration.note))
        calibration = replace(calibration, note="; ".join(notes))
    log.info("calibration: %s", calibration)
    before, after = effect(on_val.raw, val.labels, calibration)

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
            within=calibration.within,
        )
        right = probabilities.argmax(1) == part.labels
        exam = replace(exam, slices=slices(part.ids, right, part.groups, columns))
        if part.name in EXAMS:
            summary, surest, pictures = explain(
                model,
                part.pictures,
                answers,
                mattes,
                multiplications=trials.multiplications,
                regression=regression,
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


def _log(part: str, exam: Exam) -> None:
    if not exam.n:
        log.info("%s: %s", part, exam.note)
        return
    log.info(
        "%s: accuracy %.3f (95 %% interval %.2f to %.2f) on %d pictures, %.3f by always "
        "answering the most frequent class; balanced accuracy %.3f%s%s",
        part,
        *(exam.accuracy, exam.accuracy_low, exam.accuracy_high, exam.n),
        *(exam.baseline_accuracy, exam.balanced_accuracy),
        "" if exam.mae is None else f"; off by {exam.mae:.3g} on average",
        f"; {exam.note}" if exam.note else "",
    )
