"""A task of 64 drawn photos, built by the real stages up to the shards; what comes between them
and `promote` is written by hand, so that each test has the network and figures that it needs."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace
from sklearn.metrics import balanced_accuracy_score

from stages.common import reuse
from stages.evaluate.evaluate import headline
from stages.evaluate.tables import predictions
from stages.networks.part import load_part
from stages.networks.predict import class_probabilities, outputs
from stages.records import calibration
from stages.records.baselines import BASELINES, Baseline
from stages.records.calibration import Temperature
from stages.records.evaluation import (
    EVALUATION,
    METRICS,
    CalibrationReport,
    Coverage,
    Evaluation,
    Exam,
    OnPerson,
    Slice,
)
from stages.records.folders import Folders
from stages.records.objective import Objective
from stages.records.predictions import BASELINE_PREDICTIONS, PREDICTIONS, BaselinePrediction
from stages.records.shards import Shards
from stages.records.splits import SPLITS
from stages.records.trials import CLASSES as CLASSES_FILE
from stages.records.trials import TRIALS, Attempt, DataSet, Epoch, Trials
from tests.params_yaml import alone, complete, write_params

REPO = Path(__file__).resolve().parents[2]
TASK = "tone"
CLASSES = {"cool": "쿨톤", "warm": "<b>웜톤</b>"}
CALIBRATION = Temperature(1.5)


_built: list[Path] = []


def shared(tmp_path_factory) -> Path:
    """A project up to its shards, built once a session; only copies of it are worked in."""
    if not _built:
        root = tmp_path_factory.mktemp("mini") / "project"
        with pytest.MonkeyPatch.context() as patch:
            build(root, patch)
        _built.append(root)
    return _built[0]


def build(root: Path, monkeypatch, local: Path | None = None) -> None:
    """data/raw to data/shards in `root`, now the working folder; `local`: weights.local."""
    from stages.augment.__main__ import main as augment
    from stages.collect.__main__ import main as collect
    from stages.extract.__main__ import main as extract
    from stages.matte.__main__ import main as matte
    from stages.split.__main__ import main as split
    from stages.weights.__main__ import main as weights

    root.mkdir(exist_ok=True)
    monkeypatch.chdir(root)
    monkeypatch.setattr(reuse, "FEW", 1000)  # photos: to start processes would take longer
    task = complete()["tasks"]["tone"] | {"classes": CLASSES}
    task["collect"] |= {"path": "photos"}
    task["collect"]["sources"][0] |= {"people": 12, "photos": 2, "wild": 8, "size": 192}
    task["split"] |= {"test": 0.65}
    task["augment"] |= {"copies": 1, "size": 16}
    # Sixteen people take the exam, so a gain is hardly sure; `baselines` has one that failed.
    task["promote"] |= {"level": 0.5, "excuse": ["tone_vgg"]}
    Path("photos").mkdir()
    params = alone(TASK, task)
    params["weights"] |= {"local": local and str(local)}
    write_params(params)
    shutil.copy(REPO / "forgotten.csv", "forgotten.csv")
    for stage in (weights, collect, extract, matte, split, augment):
        stage(TASK)


def write_network(quality: float, search_id: str, *, wrong: int = 0, number: bool = False) -> None:
    """data/search, data/evaluate, data/baseline and reports: a network whose weights are those of a
    logistic regression that has learnt the exam by heart, mixed with noise: `quality` 1 knows it
    all, 0 nothing, -1 says the contrary. It has learnt the other class of one photo of `wrong`
    people of test. `number`: its second output tells the mean of the pixels.
    """
    import keras
    from sklearn.linear_model import LogisticRegression

    from stages.networks.export import save

    search = Path("data/search", TASK)
    shutil.rmtree(search, ignore_errors=True)
    search.mkdir(parents=True)
    parts = [Shards(Path("data/shards", TASK, part)) for part in ("train", "test", "wild")]
    learnt = [part.labels for part in parts]
    learnt[1] = np.where(mistaken(parts[1], wrong), 1 - learnt[1], learnt[1])
    labels = np.concatenate(learnt)
    pixels = np.concatenate([part.read(np.arange(len(part))) for part in parts]) / 255
    pixels = pixels.reshape(len(labels), -1)
    fit = LogisticRegression(C=100).fit(pixels, labels)
    noise = np.random.default_rng(int(search_id, 16)).normal(0, fit.coef_.std(), fit.coef_.shape)
    kernel = quality * fit.coef_ + (1 - abs(quality)) * noise
    bias = -(pixels @ kernel.T).mean()
    dense = keras.layers.Dense(2, activation="softmax")
    model = keras.Sequential(
        [keras.Input((16, 16, 3), dtype="uint8"), keras.layers.Rescaling(1 / 255)]
        + [keras.layers.Flatten(), dense]
    )
    dense.set_weights([np.stack([0 * kernel[0], kernel[0]], 1), np.array([0, bias])])
    if number:
        value = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(1 / 3))
        mean = keras.layers.GlobalAveragePooling2D()(model.inputs[0])
        model = keras.Model(model.inputs, [model.outputs[0], value(mean)])
    save(model, search, parts[0])
    CLASSES_FILE.write(search, CLASSES)
    measured = {"mae": 9.0, "val_mae": 8.5} if number else {}
    TRIALS.write(search, trials(search_id, **measured))
    evaluate(model)
    baselines()


def mistaken(test: Shards, people: int) -> np.ndarray:
    """bool (N,): one photo of so many people, half of them of each class."""
    groups = test.index()["id"].map(SPLITS.frame(Folders(TASK).splits).set_index("id")["group"])
    by_class = [sorted(set(groups[test.labels == k])) for k in (0, 1)]
    chosen = [group for pair in zip(*by_class, strict=True) for group in pair][:people]
    return (groups.isin(chosen) & ~groups.duplicated()).to_numpy()


def evaluate(model) -> None:
    """What `stages.evaluate` writes, as far as `promote` reads it."""
    at = Folders(TASK)
    shutil.rmtree(at.evaluate, ignore_errors=True)
    splits, rows, exams = SPLITS.frame(at.splits), [], {}
    for part in ("val", "test", "wild"):
        found = load_part(at, part, splits)
        probabilities = class_probabilities(outputs(model, found.pictures).raw, CALIBRATION)
        rows += predictions(
            found, probabilities, list(CLASSES), unsure_below=0.6, predicted_values=None
        )
        recall = balanced_accuracy_score(found.labels, probabilities.argmax(1))
        exams[part] = exam(len(found.labels), float(recall))
    PREDICTIONS.write(at.evaluate, rows)
    calibration.CALIBRATION.write(at.evaluate, CALIBRATION)
    report = CalibrationReport(kind="classification", temperature=1.5)
    EVALUATION.write(
        at.evaluate,
        Evaluation(
            classes=CLASSES, kind="classification", ordered=False, calibration=report, parts=exams
        ),
    )
    METRICS.write(at.reports, {"test": replace(headline(exams["test"]), accuracy=0.75, n=8)})


def exam(
    n: int = 20, balanced: float = 0.8, ece: float = 0.1, slices: tuple[Slice, ...] = ()
) -> Exam:
    """One part of evaluation.json."""
    return Exam(
        n=n,
        groups=n,
        accuracy=balanced,
        accuracy_low=None,
        accuracy_high=None,
        baseline_accuracy=0.5,
        balanced_accuracy=balanced,
        macro_f1=None,
        log_loss=0.5,
        brier=None,
        ece=ece,
        intervals={"balanced_accuracy": (balanced - 0.1, balanced + 0.1), "ece": (0.05, 0.2)},
        per_class={},
        confusion=[],
        reliability=[],
        coverage=[],
        unsure=Coverage(threshold=0.6, coverage=0.9, accuracy=0.85, n=18),
        note=None,
        slices=list(slices),
        explanations=OnPerson(n=n, inside=0.71, inside_low=0.6, inside_high=0.8, area=0.4),
    )


def baselines() -> None:
    """data/baseline: one that names the first class, and one that failed."""
    at = Folders(TASK)
    first = next(iter(CLASSES))
    rows = [
        BaselinePrediction(
            model="majority",
            id=each.id,
            part=each.part,
            label=each.label,
            predicted=first,
            probabilities={name: float(name == first) for name in CLASSES},
        )
        for each in PREDICTIONS.read(at.evaluate)
    ]
    BASELINE_PREDICTIONS.write(at.baseline, rows[::-1])  # in whatever order
    majority = Baseline(
        name="majority",
        kind="majority",
        about="",
        seconds=1.5,
        parameters=None,
        weights="none",
        hyperparameters={},
        epochs=(),
        started_ms=0,
        ended_ms=1500,
        error=None,
    )
    failed = replace(
        majority,
        name="tone_vgg",
        kind="network",
        parameters=9,
        weights="ImageNet",
        error="ValueError: too large",
    )
    BASELINES.write(at.baseline, [majority, failed])


def trial(number: int, **measured: float) -> Attempt:
    return Attempt(
        trial=number,
        attempt=1,
        status="COMPLETED",
        hyperparameters={"filters": "16-32"},
        worker="worker-1",
        started_ms=1000,
        ended_ms=3500,
        score=0.5,
        best_epoch=1,
        seconds=2.5,
        parameters=1234,
        batch_size=32,
        epochs=tuple(Epoch(e, 1000 + e, 1.0, val_loss=1.0 - e / 4, **measured) for e in range(2)),
        memory_mb=900.0,
    )


def trials(search_id: str, **measured: float) -> Trials:
    """`measured`: in each epoch, beside the loss."""
    measured = {"accuracy": 0.5, "val_accuracy": 0.5} | measured
    error = "Traceback ...\nValueError: too large"
    failed = replace(trial(1, **measured), status="FAILED", score=None, error=error)
    train = DataSet(
        path="data/shards/tone/train", md5=f"{search_id}.dir", rows=8, context="training"
    )
    return Trials(
        search_id=search_id,
        kind="classification",
        objective=Objective.VAL_LOSS,
        params={"seed": 1},
        data=(train,),
        winner=0,
        stopped=False,
        trials=(trial(0, **measured), failed),
        earlier=(),
    )
