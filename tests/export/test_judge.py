"""When an int8 file may take the float one's place."""

from dataclasses import replace

import numpy as np
import pytest

from stages.common.errors import UserError
from stages.export import judge
from stages.networks.part import Part
from stages.records.calibration import Sigma, Temperature
from stages.records.shards import InMemory
from stages.records.trials import Outputs

N = 400


def exam(unknown=None):
    labels = np.arange(N) % 2
    pictures = InMemory(np.zeros((N, 2, 2, 3), np.uint8))
    ids = [f"{each:04}" for each in range(N)]
    part = Part("test", pictures, labels, ids, np.array(ids), np.full(N, np.nan))
    known = np.ones(N, bool) if unknown is None else unknown
    raw = np.eye(2, dtype=np.float32)[labels] * 0.8 + 0.1
    return judge.Exam("classification", Temperature(1.0), part, None, Outputs(raw, None), known)


def wrong(asked, *rows):
    raw = asked.keras.raw.copy()
    raw[list(rows)] = raw[list(rows), ::-1]
    return Outputs(raw, None)


def test_the_same_answers_pass():
    asked = exam()
    gate = judge.judge(asked.keras, asked.calibration, asked)
    assert gate.passed and gate.value == gate.low == gate.high == 0


@pytest.mark.parametrize(("mistakes", "passed"), [(2, True), (4, True), (5, False), (40, False)])
def test_a_hundredth_may_be_lost(mistakes, passed):
    asked = exam()
    gate = judge.judge(wrong(asked, *range(mistakes)), asked.calibration, asked)
    assert gate.passed is passed and gate.value == pytest.approx(-mistakes / N)
    assert f"another class for {mistakes}" in gate.about


def test_it_must_be_sure_that_little_is_lost():
    """Twenty gained and twenty-one lost: one less of 400 here, and who knows with other photos."""
    asked = exam()
    before = replace(asked, keras=wrong(asked, *range(20)))
    gate = judge.judge(wrong(asked, *range(20, 41)), asked.calibration, before)
    assert gate.value == pytest.approx(-1 / N) and gate.low < -judge.SURELY and not gate.passed


def test_photos_that_the_network_knows_do_not_count():
    unknown = np.arange(N) >= 100
    asked = exam(unknown=unknown)
    assert judge.judge(wrong(asked, *range(100)), asked.calibration, asked).passed


def test_without_unknown_photos_the_float_file_is_shipped():
    asked = exam(unknown=np.zeros(N, bool))
    gate = judge.judge(asked.keras, asked.calibration, asked)
    assert not gate.passed and gate.value is None and "does not know" in gate.about


def test_a_float_file_that_answers_otherwise_is_an_error():
    judge.check_float("a.onnx", 1e-4)
    for off in (2e-4, float("nan")):
        with pytest.raises(UserError, match=r"a\.onnx answers a test photo differently"):
            judge.check_float("a.onnx", off)


def test_numbers_are_compared_relative_to_their_size():
    probabilities, years = np.full((2, 3), 0.3), np.array([50.0, 0.1])
    off = judge.apart(Outputs(probabilities + 1e-3, years * 1.001), Outputs(probabilities, years))
    assert off == pytest.approx(1e-3)
    assert judge.apart(Outputs(probabilities, None), Outputs(probabilities, None)) == 0


def test_two_fits_are_the_same_up_to_a_hundredth():
    bins = {"a": (0.0, 1.0), "b": (2.0, 3.0)}
    assert judge.same(Temperature(1.0), Temperature(1.004))
    assert not judge.same(Temperature(1.0), Temperature(1.1))
    assert judge.same(Sigma(3.0, bins), Sigma(3.01, bins))
    assert not judge.same(Sigma(3.0, bins), Sigma(3.1, bins))
    assert not judge.same(Sigma(1.0, bins), Temperature(1.0))
