import pytest

from stages.report.verdict import level, verdict


def exam(n, accuracy, low, high, baseline):
    return {"n": n, "accuracy": accuracy, "accuracy_low": low, "accuracy_high": high,
            "baseline_accuracy": baseline}  # fmt: skip


GOOD = exam(40, 0.8, 0.65, 0.9, 0.5)
NOISE = exam(10, 0.6, 0.31, 0.83, 0.5)
BAD = exam(40, 0.2, 0.1, 0.35, 0.5)
NONE = exam(0, None, None, None, None)


@pytest.mark.parametrize(
    ("numbers", "expected"), [(GOOD, "good"), (NOISE, "noise"), (BAD, "bad"), (NONE, "unknown")]
)
def test_level(numbers, expected):
    assert level(numbers) == expected


def test_sentences_follow_the_numbers():
    better, worse, drop = verdict(GOOD, BAD)
    assert better.startswith("Right on 32 of 40 test photos: better than always")
    assert worse.startswith("Right on 8 of 40 wild photos: worse than always")
    assert drop.startswith("Wild is 60 points below test, clearly")


def test_overlapping_intervals_are_no_difference():
    assert verdict(GOOD, NOISE)[2].startswith("Wild against test, −20 points, is a difference that")


def test_empty_parts():
    assert (
        verdict(NONE, GOOD)[0]
        == "There are no test photos: how good this network is, nobody knows."
    )
    assert len(verdict(NONE, GOOD)) == 2
    assert "no wild photos" in verdict(GOOD, NONE)[1]
