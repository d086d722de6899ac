"""Each gate, on answers made by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.promote.answers import Answers
from stages.promote.decide import decide
from stages.promote.luck import allowed
from stages.records.evaluation import Slice
from stages.records.params import Promote
from stages.records.promotion import PROMOTION, Judged
from tests.promote import mini

N = 40
LABELS = np.arange(N) % 2
GROUPS = np.array([f"g{i // 2}" for i in range(N)])
PARAMS = Promote(
    margin=0.0, level=0.9, wild_margin=0.05, max_ece=0.25, max_slice_gap=0.3, excuse=()
)


def answers(right, sure=0.9):
    """Right on the first `right` photos of each class."""
    predicted = np.where(np.arange(N) // 2 < right, LABELS, 1 - LABELS)
    probabilities = np.full((N, 2), 1 - sure)
    probabilities[np.arange(N), predicted] = sure
    return Answers(np.arange(N).astype(str), GROUPS, LABELS, predicted, probabilities)


def exam(test, wild=10):
    return {"test": answers(test), "wild": answers(wild)}


def judge(candidate, champion, baselines=None, params=None, test=None, candidates=1, **more):
    """`candidates`: networks that the test part has judged, this one included."""
    exams = {"test": test or mini.exam(), "wild": mini.exam()}
    changed = PARAMS.model_copy(update=params or {})
    judged = Judged("abc", candidates, allowed(changed.level, candidates, candidates))
    return decide(changed, candidate, champion, exams, baselines or {}, judged, **more)


def failed(decision):
    return {gate.gate for gate in decision.gates if not gate.passed}


@pytest.mark.parametrize(
    ("candidate", "champion", "params", "expected"),
    [
        (exam(20), exam(14), {}, set()),
        (exam(20), exam(15), {"margin": 0.24}, set()),
        (exam(20), exam(15), {"margin": 0.25}, {"margin"}),  # must be exceeded, not met
        (exam(15), exam(20), {}, {"beats the champion", "margin"}),
        (exam(20), exam(20), {}, {"beats the champion", "margin"}),  # as good is no reason
        (exam(15), exam(14), {}, {"beats the champion"}),  # one photo of each class may be luck
        (exam(16), exam(14), {}, {"beats the champion"}),  # two as well
        (exam(16), exam(14), {"level": 0.5}, set()),
        (exam(20, wild=5), exam(14, wild=10), {}, {"wild"}),
        (exam(20, wild=5), exam(14, wild=10), {"wild_margin": 0.25}, set()),
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


def test_a_network_that_guesses_does_not_become_the_first_champion():
    assert failed(judge(exam(11), None)) == {"beats chance"}  # above chance, as half of them are
    assert failed(judge(exam(14), None)) == set()
    [gate] = [g for g in judge(exam(11), None).gates if g.gate == "beats chance"]
    assert "0.550" in gate.about and "chance is 0.500" in gate.about


def test_the_more_candidates_the_less_luck():
    """Five groups of twenty: 1 of 32 by luck. The first may have 5 %, the second 1.67 %."""
    first, second = (judge(exam(19), exam(14), candidates=number) for number in (1, 2))
    assert failed(first) == set()
    assert failed(second) == {"beats the champion"}
    [gate] = [g for g in second.gates if g.gate == "beats the champion"]
    assert gate.value == pytest.approx(1 / 32) and gate.limit == pytest.approx(0.1 / 6)
    assert "3.12 % of all cases, at most 1.67 %" in gate.about
    assert second.judged == Judged("abc", 2, gate.limit)
    assert failed(judge(exam(15), None, candidates=1)) == set()
    assert failed(judge(exam(15), None, candidates=30)) == {"beats chance"}


def test_no_baseline_may_surely_be_better():
    def against(params=None, **baselines):
        return judge(exam(15), None, baselines, params)

    assert failed(against(hog=answers(14), majority=answers(10), itself=answers(15))) == set()
    assert failed(against(deep=answers(16))) == set()  # one photo of each class may be luck
    assert failed(against(hog=answers(14), deep=answers(20))) == {"keeps up with deep"}
    assert failed(against(dict(level=0.97), deep=answers(20))) == set()  # 1 of 32 by luck


def test_a_baseline_that_failed_stops_the_network_unless_it_is_excused():
    def gate(**params):
        decision = judge(exam(15), None, {"broken": None}, params)
        [found] = [g for g in decision.gates if g.gate == "keeps up with broken"]
        return found

    assert not gate().passed and "promote.excuse" in gate().about
    assert not gate(excuse=("another",)).passed
    excused = gate(excuse=("broken",))
    assert excused.passed and excused.value is None and "not judged" in excused.about


def test_no_wild_photos_are_not_judged_and_said():
    none = np.zeros(N, bool)
    candidate, champion = exam(20), exam(14)
    candidate["wild"], champion["wild"] = (e["wild"].where(none) for e in (candidate, champion))
    decision = judge(candidate, champion)
    assert decision.decision == "champion"
    [gate] = [gate for gate in decision.gates if gate.gate == "wild"]
    assert gate.value is None and "not judged" in gate.about


def test_both_are_compared_on_the_champion_s_photos():
    champion = exam(14)
    champion["test"] = champion["test"].where(np.arange(N) >= 20)
    decision = judge(exam(20), champion)
    assert decision.candidate["test"].n == decision.champion["test"].n == 20
    assert decision.candidate["wild"].n == N


def test_a_network_that_was_rolled_back_does_not_come_back():
    assert failed(judge(exam(20), exam(14), rolled_back=True)) == {"not rolled back"}


def slice_with(low, high):
    """A slice whose gap lies so."""
    return Slice(
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


@pytest.mark.parametrize(
    ("gaps", "expected"),
    [
        ([(-0.8, -0.29)], set()),
        ([(-0.8, -0.31)], {"slices"}),
        ([(-0.9, -0.1), (-0.4, -0.31)], {"slices"}),  # the widest gap is not the surest
        ([(-0.9, -0.1), (-0.4, -0.29)], set()),
    ],
)
def test_a_slice_fails_only_where_its_whole_interval_lacks(gaps, expected):
    slices = tuple(slice_with(*gap) for gap in gaps)
    assert failed(judge(exam(20), None, test=mini.exam(slices=slices))) == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.floats(0, 0.9), st.floats(0, 0.5))
def test_the_champion_moves_exactly_when_every_gate_is_passed(new, old, margin, ece):
    decision = judge(exam(new), exam(old), params={"margin": margin}, test=mini.exam(ece=ece))
    assert (decision.decision == "champion") == all(gate.passed for gate in decision.gates)
    if decision.decision == "champion":
        assert new - old > 20 * margin - 1e-9
        assert new > 10
        assert ece <= PARAMS.max_ece
