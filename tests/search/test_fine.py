"""Something finer than the classes: persons, or steps of a number, summed to classes."""

import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss

from stages.common.errors import UserError
from stages.records.folders import Folders
from stages.records.params import read
from stages.records.trials import TRIALS
from stages.search.data import refuse_unlearnable
from stages.search.fingerprint import fingerprint
from stages.search.processes.worker import _target
from stages.search.search import search
from stages.search.trial.target import Classification, Fine, finish
from tests.search.conftest import fine, plan

# Five persons of two classes; and five ages of three, two steps of which are in each class.
PERSONS = Fine(2, (0, 0, 1, 0, 1), persons=(0, 1, 1, 2, 4))
AGES = Fine(3, (0, 0, 1, 1, 2), steps=(0.0, 10.0, 20.0, 30.0, 40.0), sigma=5.0)


class Part:
    """Shards without pictures."""

    folder = "data/shards/idol/train"

    def __init__(self, labels, persons=None, values=None):
        self.labels = np.array(labels)
        self.persons = None if persons is None else np.array(persons, np.int32)
        self.values = None if values is None else np.array(values, np.float32)


def some_outputs(n, width):
    found = np.random.default_rng(1).random((n, width)) ** 4
    return found / found.sum(1, keepdims=True)


def test_persons_are_outputs_and_one_of_two_classes_is_two():
    train = Part([0, 0, 1, 0, 1, 0], persons=[0, 1, 1, 2, 4, 0])
    assert Fine.of_persons(train, 2) == PERSONS
    np.testing.assert_array_equal(
        PERSONS.targets(train, training=True),
        [[0, 0, 1], [0, 1, 1], [1, 2, 1], [0, 3, 1], [1, 4, 1], [0, 0, 1]],
    )
    np.testing.assert_array_equal(PERSONS.targets(train, training=False)[:, 2], 0)
    # Of those that train does not know, the class is learnt: person 3, person 2 in another class.
    others = Part([0, 1, 1, 1], persons=[3, 2, 4, -1])
    np.testing.assert_array_equal(
        PERSONS.targets(others, training=True), [[0, -1, 0], [1, -1, 0], [1, 4, 1], [1, -1, 0]]
    )
    nobody = PERSONS.targets(Part([0, 1]), training=True)
    np.testing.assert_array_equal(nobody, [[0, -1, 0], [1, -1, 0]])


def test_ages_are_91_steps_of_a_third_of_sigma():
    bins = {"minor": (0, 18), "young": (19, 39), "middle": (40, 59), "senior": (60, 120)}
    train = Part([0, 3], values=[0, 90])
    target = Fine.of_values(train, bins)
    assert target.sigma == pytest.approx(3)
    assert len(target.steps) == len(target.classes) == 91
    assert (target.steps[0], target.steps[-1]) == (0, 99)  # a bin's end; 90 and 3 sigma
    for step, k in zip(target.steps, target.classes, strict=True):
        assert k == sum(step > edge for edge in (18.5, 39.5, 59.5))
    np.testing.assert_array_equal(target.targets(train, training=True), [[0, 0, 1], [3, 90, 1]])
    np.testing.assert_array_equal(target.targets(train, training=False), [[0, 0, 0], [3, 90, 0]])


def test_loss_of_training_rows_is_the_cross_entropy_of_persons():
    p = some_outputs(5, 5)
    y = np.array([[0, 0, 1], [0, 1, 1], [1, 2, 1], [0, 3, 1], [1, 4, 1]], np.float32)
    assert float(PERSONS.loss(y, p)) == pytest.approx(log_loss(np.arange(5), p), rel=1e-5)


def test_loss_of_training_rows_is_the_cross_entropy_of_a_normal_distribution():
    p, numbers = some_outputs(3, 5), np.array([0, 17, 40])
    y = np.stack([[0, 1, 2], numbers, np.ones(3)], axis=1).astype(np.float32)
    wanted = np.exp(-(((np.array(AGES.steps) - numbers[:, None]) / AGES.sigma) ** 2) / 2)
    wanted /= wanted.sum(1, keepdims=True)
    expected = -(wanted * np.log(np.clip(p, 1e-7, 1))).sum(1).mean()
    assert float(AGES.loss(y, p)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("target", [PERSONS, AGES])
def test_loss_of_validation_rows_is_the_log_loss_of_the_classes(target):
    p, labels = some_outputs(6, 5), np.arange(6) % target.n
    y = np.stack([labels, [-1, 3, 17, 40, 0, 5], np.zeros(6)], axis=1).astype(np.float32)
    classes = p @ np.eye(target.n)[list(target.classes)]
    assert float(target.loss(y, p)) == pytest.approx(log_loss(labels, classes), rel=1e-5)
    accuracy = float(np.mean(target.metrics[0](y, p)))
    assert accuracy == pytest.approx((classes.argmax(1) == labels).mean())
    if target is AGES:
        error = np.abs(p @ np.array(AGES.steps) - y[:, 1])
        np.testing.assert_allclose(AGES.metrics[1](y, p), error, rtol=1e-5)


@pytest.mark.parametrize("target", [PERSONS, AGES])
def test_loss_and_metrics_are_the_same_after_serialisation(target):
    p = some_outputs(6, 5)
    y = np.stack([np.arange(6) % target.n, [1, 0, 1, 2, 3, 4], [0, 1] * 3], axis=1)
    y = y.astype(np.float32)
    for each, module in (
        (target.loss, keras.losses),
        *((m, keras.metrics) for m in target.metrics),
    ):
        again = module.deserialize(module.serialize(each))
        np.testing.assert_array_equal(again(y, p), each(y, p))
        assert again.name == each.name


# Two classes have two outputs, unlike those of a network that learns them alone.
SIZES = {"person": 2, "value": 3}


@pytest.fixture(scope="module", params=SIZES)
def found(request, parts, tmp_path_factory):
    """What is learnt, a search of one trial, its validation part and scratch folder."""
    what, scratch = request.param, tmp_path_factory.mktemp("fine") / request.param
    wanted = fine(parts, SIZES[what], what, max_epochs=6)
    return what, search(wanted, scratch), parts[SIZES[what]][1], scratch


def answers(model, pictures):
    """[probabilities of classes] or [probabilities of classes, numbers]."""
    said = model.predict_on_batch(pictures)
    return said if isinstance(said, list) else [said]


def test_a_search_is_judged_by_classes_and_answers_with_them(found):
    what, result, val, _ = found
    p, *value = answers(result.model, val.read(np.arange(len(val))))
    best = result.best
    row = best.epochs[best.best_epoch]
    assert p.shape == (60, SIZES[what]) and p.dtype == np.float32
    np.testing.assert_allclose(p.sum(1), 1, atol=1e-5)
    loss = -np.log(p[np.arange(60), val.labels]).mean()
    assert loss == pytest.approx(row.val_loss, abs=1e-4) and row.val_loss == best.score
    assert row.val_accuracy == pytest.approx((p.argmax(1) == val.labels).mean()) and row.accuracy
    assert best.hyperparameters["head_dropout"] == 0.25  # the same first trials
    if what == "person":
        assert not value and row.val_mae is None
        return
    [value] = value
    assert value.shape == (60, 1)
    error = np.abs(value[:, 0] - val.values).mean()
    assert error == pytest.approx(row.val_mae, rel=1e-3)
    assert row.val_mae < 5 < np.abs(val.values.mean() - val.values).mean()


def test_a_search_goes_on_to_a_final_fit_and_loads_without_autokeras(found, parts, tmp_path):
    what, result, val, scratch = found
    wanted = fine(parts, SIZES[what], what, max_epochs=6, final_fit=True)
    final = search(wanted, scratch)
    assert final.trials == result.trials
    assert [each.status for each in final.final_fits] == ["COMPLETED"]
    final.model.save(tmp_path / "model.keras")
    pictures = val.read(np.arange(10))
    np.save(tmp_path / "some.npy", pictures)
    code = (
        "import sys, numpy as np, keras\n"
        "model = keras.saving.load_model(sys.argv[1], compile=False)\n"
        "assert 'autokeras' not in sys.modules and 'stages' not in sys.modules\n"
        "said = model.predict_on_batch(np.load(sys.argv[2]))\n"
        "np.savez(sys.argv[3], *(said if isinstance(said, list) else [said]))"
    )
    files = [tmp_path / name for name in ("model.keras", "some.npy", "said.npz")]
    subprocess.run([sys.executable, "-c", code, *files], capture_output=True, check=True)
    loaded = list(np.load(files[2]).values())
    assert len(loaded) == (2 if what == "value" else 1)
    for model in (final.model, search(wanted, scratch).model):  # made, and kept
        for a, b in zip(loaded, answers(model, pictures), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    assert not final.model.get_layer("classes").trainable_weights


def test_other_networks_are_left_as_they_are(parts):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    assert finish(model, plan(parts, 3).target) is model


def test_each_target_has_a_search_of_its_own(parts):
    plans = [fine(parts, 3, "person"), fine(parts, 3, "value"), plan(parts, 3)]
    plans.append(
        dataclasses.replace(plans[1], target=dataclasses.replace(plans[1].target, sigma=1))
    )
    assert len({fingerprint(each, "data") for each in plans}) == 4


def test_what_cannot_be_learnt_is_refused(parts):
    with pytest.raises(UserError, match=r"search\.fine: person, but some photos have no person"):
        Fine.of_persons(Part([0, 1], persons=[0, -1]), 2)
    with pytest.raises(UserError, match=r"not every photo has a value"):
        Fine.of_values(Part([0, 1]), {"a": (0, 1), "b": (2, 3)})
    with pytest.raises(UserError, match=r"all photos have the value 1"):
        Fine.of_values(Part([0, 0], values=[1, 1]), {"a": (0, 1), "b": (2, 3)})
    with pytest.raises(UserError, match=r"none is in the bin of b; make it wider"):
        Fine.of_values(Part([0, 2], values=[0, 9]), {"a": (0, 5), "b": (5, 5.01), "c": (5.02, 9)})


def test_photos_without_a_person_or_a_number_are_counted(stage):
    stage = stage(fine="person")
    at = Folders("age", stage.path)
    refuse_unlearnable(read("age", stage.path), at)
    persons = at.shards / "train/persons.npy"
    np.save(persons, np.where(np.load(persons) == 1, -1, np.load(persons)))
    at.splits.mkdir(parents=True)
    rows = "a,ann,train,1\nb,,train,2\nc,,train,3\nd,,val,\n"
    (at.splits / "splits.csv").write_text("id,person,part,value\n" + rows)
    with pytest.raises(UserError, match=r"2 of 3 training photos (?s:.*)search\.fine to null"):
        refuse_unlearnable(read("age", stage.path), at)
    stage.set(fine="value")
    refuse_unlearnable(read("age", stage.path), at)
    (at.shards / "val/values.npy").unlink()
    with pytest.raises(UserError, match=r"value .* 1 of 4 photos (?s:.*)search\.fine to null"):
        refuse_unlearnable(read("age", stage.path), at)


def test_the_stage_learns_ages_and_answers_with_both(stage):
    stage = stage(fine="value")
    for part, n in {"train": 240, "val": 60}.items():  # in the bins of the task
        values = np.array([10, 30, 50, 70], np.float32)[np.arange(n) % 4]
        np.save(stage.path / f"data/shards/age/{part}/values.npy", values)
    said = stage.run()
    assert "val_mae" in said and "val_accuracy" in said
    out = stage.path / "data/search/age"
    content = TRIALS.read(out)
    assert content.kind == "classification" and content.params["fine"] == "value"
    assert content.best.epochs[-1].val_mae > 0
    model = keras.saving.load_model(out / "model.keras", compile=False)
    assert [tuple(each.shape) for each in model.outputs] == [(None, 4), (None, 1)]


def test_a_worker_takes_the_target_that_the_parameters_name(stage, parts):
    train, _ = parts[3]
    stage = stage(fine="person")
    assert _target(read("age", stage.path), train).persons == (0, 1, 2, 3, 4, 5)
    stage.set(fine=None)
    assert _target(read("age", stage.path), train) == Classification(4)
