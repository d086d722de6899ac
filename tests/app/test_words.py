import pytest

from app.__main__ import _words
from app.chain import Answer


@pytest.mark.parametrize(
    "number, words",
    [
        ((None, None, None), ""),
        ((36.8, None, None), ", 36.8"),
        ((36.8, 30.6, 43.0), ", 37 (31 to 43)"),
        ((0.5, 0.0625, 0.9375), ", 0.50 (0.06 to 0.94)"),
    ],
)
def test_a_number_is_named_with_its_range(number, words):
    value, low, high = number
    answer = Answer("young", "Young", "young", 0.83, value, low, high)
    assert _words(answer) == [f"Young (83%){words}"]
