import pytest

from stages.report.promotion import systems
from stages.report.result import result
from stages.report.verdict import verdict
from tests.report.made import decision, exam, gate, standing


def shares(n, accuracy, low, high, baseline):
    return result(
        exam(
            n,
            accuracy=accuracy,
            baseline_accuracy=baseline,
            intervals={"accuracy": (low, high)},
        )
    )


GOOD = shares(40, 0.8, 0.65, 0.9, 0.5)
NOISE = shares(10, 0.6, 0.31, 0.83, 0.5)
BAD = shares(40, 0.2, 0.1, 0.35, 0.5)
NONE = result(exam(0))


@pytest.mark.parametrize(("numbers", "expected"), [(GOOD, "good"), (NOISE, "noise"), (BAD, "bad")])
def test_level(numbers, expected):
    assert numbers.first.level == expected


def test_without_photos_nothing_is_judged():
    assert NONE.first is None and NONE.shown == []


def test_sentences_follow_the_numbers():
    better, worse, drop = verdict(GOOD, BAD)
    assert better.startswith("Right on 32 of 40 test photos: better than always")
    assert worse.startswith("Right on 8 of 40 wild photos: worse than always")
    assert drop.startswith("Wild against test, −60 points, is clearly worse")


def test_overlapping_intervals_are_no_difference():
    assert verdict(GOOD, NOISE)[2].startswith("Wild against test, −20 points, is a difference that")


def test_empty_parts():
    assert (
        verdict(NONE, GOOD)[0]
        == "There are no test photos: how good this network is, nobody knows."
    )
    assert len(verdict(NONE, GOOD)) == 2
    assert "no wild photos" in verdict(GOOD, NONE)[1]


def test_at_chance_by_person_it_knows_nothing_of_new_faces():
    plain = "knows nothing about a face that it has never seen"
    assert any(plain in sentence for sentence in verdict(NOISE, GOOD))
    assert any(plain in sentence for sentence in verdict(BAD, GOOD))
    assert not any(plain in sentence for sentence in verdict(GOOD, NOISE))


def test_unknown_people_may_be_on_both_sides():
    shows = "photos kept out of training; who is on them is not known"
    [doubt] = [s for s in verdict(NOISE, GOOD, shows=shows) if "not known" in s]
    assert doubt.startswith("Who is on the test photos")
    assert not any("never seen" in s for s in verdict(NOISE, GOOD, shows=shows))


def test_an_exam_on_known_people_says_so_and_where_new_people_are_measured():
    said = verdict(NOISE, GOOD, shows="other photos of people it may know", task="idol")
    [about] = [s for s in said if "people that it may know" in s]
    assert "python -m experiments.findings person idol" in about
    assert not any("never seen" in s for s in said)


def number(n, mae, low, high, baseline):
    return result(exam(n, mae=mae, intervals={"mae": (low, high)}), baseline)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [((4, 5, 4, 6, 9), "good"), ((4, 8, 6, 10, 9), "noise"), ((4, 12, 10, 14, 9), "bad")],
)
def test_less_error_is_better(numbers, expected):
    assert number(*numbers).first.level == expected


def test_sentences_about_errors():
    test, wild = number(4, 5, 4, 6, 9), number(8, 12, 10, 14, 9)
    better, worse, drop = verdict(test, wild)
    assert better.startswith("Off by 5.0 on average, on 4 test photos: better than always")
    assert "worse than always naming their most central number (9.0)" in worse
    assert drop.startswith("The error on wild against test, +7.0, is clearly worse")


def system(name, kind, score):
    ends = {f"test_balanced_accuracy{end}": score for end in ("", "_low", "_high")}
    return standing(name, kind, **ends)


def test_simpler_systems_that_are_as_good_are_named():
    rows = [system("hog", "classical", 0.7), system("vgg", "network", 0.6)]
    rows += [system("new", "search winner", 0.6), system("old", "champion", 0.9)]
    said = verdict(GOOD, GOOD, systems=systems(rows))[-1]
    assert said.startswith("It does not beat every simpler system: hog (70%), vgg (60%) against")
    rows[2] = system("new", "search winner", 0.71)
    assert verdict(GOOD, GOOD, systems=systems(rows))[-1].endswith("the best is hog (70%).")


def test_a_closed_gate_is_named():
    closed = decision(gate(gate="wild", passed=False), gate(gate="slices"))
    said = 'Not promoted, there is no champion: it did not pass "wild".'
    assert verdict(GOOD, GOOD, promotion=closed)[-1] == said
    assert "the champion stays" in verdict(GOOD, GOOD, promotion=closed, champion=True)[-1]
