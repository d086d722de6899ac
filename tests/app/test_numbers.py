"""A network that tells classes and a number, through the doors of all stages after the search."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from app.chain import Chain
from stages.records.chain import CARD
from stages.records.evaluation import EVALUATION, METRICS
from stages.records.folders import Folders
from stages.records.params import read
from stages.records.predictions import PREDICTIONS
from stages.records.promotion import ROLES
from stages.records.shards import Shards
from stages.records.splits import SPLITS
from stages.report.section import read_chapter
from tests.app.test_chain import assert_answers_are_those_of, photo_of, predictions
from tests.promote import mini
from tests.promote.mini import TASK

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def numbered(tmp_path_factory) -> Path:
    """A project whose network tells a number, the mean of the pixels, which is at most 10 off."""
    from stages.evaluate.__main__ import main as evaluate
    from stages.promote.__main__ import main as promote
    from stages.report.__main__ import main as report
    from stages.suspects.__main__ import main as suspects

    root = tmp_path_factory.mktemp("numbered") / "project"
    shutil.copytree(mini.shared(tmp_path_factory), root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        true, rng = {}, np.random.default_rng(0)
        for part in ("train", "val", "test", "wild"):
            shards = Shards(Folders(TASK).shards / part)
            means = shards.read(np.arange(len(shards))).mean((1, 2, 3))
            numbers = means + rng.uniform(-10, 10, len(means))
            true |= zip(shards.index()["id"], numbers.tolist(), strict=True)
        splits = Folders(TASK).splits
        photos = [replace(each, value=true[each.id]) for each in SPLITS.read(splits)]
        SPLITS.write(splits, photos)
        mini.write_network(0.9, "4", wrong=5, number=True)
        evaluate(TASK)
        promote(TASK)
        suspects(TASK)
        report(TASK)
    return root


@pytest.fixture(scope="module")
def folder(numbered) -> Path:
    """Its chain, whatever the gates said."""
    promoted = Folders(TASK, numbered).promote
    return next(folder for role in ROLES if (folder := promoted / role).is_dir())


@pytest.fixture(scope="module")
def chain(folder) -> Chain:
    return Chain(folder)


def test_originals_get_the_exam_s_classes_and_numbers(chain, numbered):
    table = predictions(numbered, TASK)
    assert (np.abs(table["value"] - table["predicted_value"]) < 10).all()
    assert_answers_are_those_of(table, chain, numbered, TASK)


def test_an_answer_names_a_number_and_its_range(chain, numbered):
    within = EVALUATION.read(Folders(TASK, numbered).evaluate).calibration.within
    row = predictions(numbered, TASK).iloc[0]
    answer = chain.answer(photo_of(numbered, TASK, row["id"]))
    assert answer.value_low == pytest.approx(answer.value - within)
    assert answer.value_high == pytest.approx(answer.value + within)
    assert chain.answer(b"").value_low is None


def test_mlflow_gets_the_fields(numbered, folder):
    import pandas as pd

    from app.model import SIGNATURE, FaceModel

    class Context:
        artifacts = {"chain": str(folder)}

    model = FaceModel()
    model.load_context(Context())
    photo = photo_of(numbered, TASK, predictions(numbered, TASK)["id"].iloc[0])
    table = model.predict(None, pd.DataFrame({"photo": [photo, b"no photo"]}))
    assert list(table) == SIGNATURE.outputs.input_names()
    assert table["value_low"][0] < table["value"][0] < table["value_high"][0]
    assert table["value_low"][1] is None


def test_the_numbers_are_judged(numbered):
    at = Folders(TASK, numbered)
    rows = [each for each in PREDICTIONS.read(at.evaluate) if each.part == "test"]
    errors = np.array([abs(each.value - each.predicted_value) for each in rows])
    evaluation = EVALUATION.read(at.evaluate)
    test = evaluation.parts["test"]
    assert evaluation.kind == "classification"
    assert test.mae == pytest.approx(errors.mean())
    assert test.in_range == (errors <= evaluation.calibration.within).mean()
    found = METRICS.read(at.reports)["test"]
    assert found.mae_low < found.mae < found.mae_high
    assert found.accuracy is not None


def test_the_report_shows_classes_and_the_number(numbered):
    at = Folders(TASK, numbered)
    chapter = read_chapter(at, "Tone", mini.CLASSES, read(TASK, numbered).split)
    assert [line.name for line in chapter.headlines["test"].lines] == [
        "accuracy",
        "balanced accuracy",
    ]
    [line] = chapter.beside["test"].lines
    assert line.name == "mean absolute error"
    assert float(line.text) == pytest.approx(chapter.exams["test"].mae, abs=0.05)
    assert chapter.numbers["test"] is not None and chapter.numbers["wild"] is not None
    assert sum(said.startswith("Off by") for said in chapter.verdict) == 2
    assert f"±{line.text}" in (at.report / "overview.html").read_text()
    page = (at.report / "section.html").read_text()
    assert '<td class="n" data-name="error">8.50</td>' in page  # of a trial
    assert "80% of new photos should have their number in it" in page
    assert "Numbers within the range" in page


def test_the_card_tells_both(folder):
    card = (folder / CARD).read_text()
    test = EVALUATION.read(folder).parts["test"]
    assert "one of 2 classes, and estimates a number:" in card
    assert f"| balanced accuracy | {test.balanced_accuracy:.3f} (" in card
    assert f"| mean absolute error of the number | {test.mae:.3f} (" in card
    assert f"| numbers within the range | {test.in_range:.3f} (" in card
    assert "80 % of new photos have their number in it" in card


def test_mlflow_holds_the_number_s_error(numbered, folder, tmp_path, monkeypatch):
    from stages.tracking import register
    from stages.tracking.store import connect

    shutil.copytree(numbered, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    register.main()
    found = connect().get_model_version_by_alias(f"face-{TASK}", folder.name)
    test = EVALUATION.read(folder).parts["test"]
    assert found.tags["test_mae"].startswith(f"{test.mae:.3g} (")
    measured = connect().get_run(found.run_id).data.metrics
    assert measured["test_mae_low"] < measured["test_mae"] < measured["test_mae_high"]
    assert measured["test_in_range"] == pytest.approx(test.in_range, abs=1e-4)
