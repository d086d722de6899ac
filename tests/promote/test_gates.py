"""Each gate, on answers made by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.promote.answers import Answers
from stages.promote.decide import decide
from stages.records.evaluation import Slice
from stages.records.params import Promote
from stages.records.promotion import PROMOTION
from tests.promote import mini

N = 40
LABELS = np.arange(N) % 2
GROUPS = np.array([f"g{i // 2}" for i in range(N)])
PARAMS = Promote(margin=0.0, level=0.9, wild_margin=0.05, max_ece=0.25, max_slice_gap=0.3)


def answers(right, sure=0.9):
    """Right on the first `right` photos of each class."""
    predicted = np.where(np.arange(N) // 2 < right, LABELS, 1 - LABELS)
    probabilities = np.full((N, 2), 1 - sure)
    probabilities[np.arange(N), predicted] = sure
    return Answers(np.arange(N).astype(str), GROUPS, LABELS, predicted, probabilities)


def exam(test, wild=10):
    return {"test": answers(test), "wild": answers(wild)}


def judge(candidate, champion, baselines=None, params=None, test=None, **more):
    exams = {"test": test or mini.exam(), "wild": mini.exam()}
    changed = PARAMS.model_copy(update=params or {})
    return decide(changed, candidate, champion, exams, baselines or {}, **more)


def failed(decision):
    return {gate.gate for gate in decision.gates if not gate.passed}


@pytest.mark.parametrize(
    ("candidate", "champion", "params", "expected"),
    [
        (exam(20), exam(10), {}, set()),
        (exam(20), exam(10), {"margin": 0.49}, set()),
        (exam(20), exam(10), {"margin": 0.5}, {"margin"}),  # must be exceeded, not met
        (exam(10), exam(20), {}, {"beats the champion", "margin"}),
        (exam(20), exam(20), {}, {"beats the champion", "margin"}),  # as good is no reason
        (exam(11), exam(10), {}, {"beats the champion"}),  # one photo of each class may be luck
        (exam(11), exam(10), {"level": 0.5}, set()),
        (exam(20, wild=5), exam(10, wild=10), {}, {"wild"}),
        (exam(20, wild=5), exam(10, wild=10), {"wild_margin": 0.25}, set()),
    ],
)
def test_the_champion_is_dethroned_by_a_sure_gain_alone(
    candidate, champion, params, expected, tmp_path
):
    decision = judge(candidate, champion, params=params)
    assert failed(decision) == expected
    assert decision.decision == ("challenger" if expected else "champion")
    assert all(gate in decision.reason for gate in expected)
    PROMOTION.write(tmp_path, decision)
    assert PROMOTION.read(tmp_path) == decision


def test_every_baseline_must_be_beaten():
    def against(**baselines):
        return judge(exam(15), None, baselines)

    assert failed(against(hog=answers(14), majority=answers(10))) == set()
    assert failed(against(hog=answers(14), deep=answers(16))) == {"beats deep"}
    # A tie goes to the better log loss: right on 15 of 20, it is better to be less sure
    assert failed(against(sure=answers(15, sure=0.99))) == set()
    assert failed(against(careful=answers(15, sure=0.75))) == {"beats careful"}
    assert failed(against(itself=answers(15))) == {"beats itself"}
    [gate] = [g for g in against(broken=None).gates if g.gate == "beats broken"]
    assert gate.passed and gate.value is None and "not judged" in gate.about


def test_no_wild_photos_are_not_judged_and_said():
    none = np.zeros(N, bool)
    candidate, champion = exam(20), exam(10)
    candidate["wild"], champion["wild"] = (e["wild"].where(none) for e in (candidate, champion))
    decision = judge(candidate, champion)
    assert decision.decision == "champion"
    [gate] = [gate for gate in decision.gates if gate.gate == "wild"]
    assert gate.value is None and "not judged" in gate.about


def test_both_are_compared_on_the_champion_s_photos():
    champion = exam(10)
    champion["test"] = champion["test"].where(np.arange(N) >= 20)
    decision = judge(exam(20), champion)
    assert decision.candidate["test"].n == decision.champion["test"].n == 20
    assert decision.candidate["wild"].n == N


def test_a_network_that_was_rolled_back_does_not_come_back():
    assert failed(judge(exam(20), exam(10), rolled_back=True)) == {"not rolled back"}


def test_a_slice_fails_only_where_its_whole_interval_lacks():
    def with_gap(low, high):
        row = Slice(
            column="sex",
            value="f",
            n=9,
            groups=9,
            accuracy=0.4,
            low=0.2,
            high=0.6,
            gap=(low + high) / 2,
            gap_low=low,
            gap_high=high,
        )
        return failed(judge(exam(20), None, test=mini.exam(slices=(row,))))

    assert with_gap(-0.8, -0.29) == set()
    assert with_gap(-0.8, -0.31) == {"slices"}


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.floats(0, 0.9), st.floats(0, 0.5))
def test_the_champion_moves_exactly_when_every_gate_is_passed(new, old, margin, ece):
    decision = judge(exam(new), exam(old), params={"margin": margin}, test=mini.exam(ece=ece))
    assert (decision.decision == "champion") == all(gate.passed for gate in decision.gates)
    if decision.decision == "champion":
        assert new - old > 20 * margin - 1e-9
        assert ece <= PARAMS.max_ece
