import pytest

from stages.report.ticks import ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1.17, [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2]),
        (0.3, 0.9, [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),  # 0.3 / 0.1 < 3 in floats
        (1.9, 1.94, [1.9, 1.91, 1.92, 1.93, 1.94]),
        (-3, 12, [-5, 0, 5, 10, 15]),
        (18, 87, [0, 20, 40, 60, 80, 100]),
        (0, 2e6, [0, 500_000, 1_000_000, 1_500_000, 2_000_000]),
    ],
)
def test_steps_are_round_and_as_small_as_fits(low, high, expected):
    assert ticks(low, high) == expected


def test_a_step_is_not_below_the_least():
    assert ticks(0.991, 1, least=0.01) == [0.99, 1]
    assert ticks(1, 3, least=1) == [1, 2, 3]


@pytest.mark.parametrize("value", [0, 2.5, -1])
def test_one_value_has_room_on_both_sides(value):
    first, *_, last = ticks(value, value)
    assert first < value < last


def test_the_ends_lie_within():
    for scale in (10.0**exponent for exponent in range(-6, 7)):
        for low, high in ((0.123, 0.987), (-0.7, 0.3), (0.4991, 0.5013)):
            found = ticks(low * scale, high * scale)
            assert found[0] <= low * scale and found[-1] >= high * scale
            assert 2 <= len(found) <= 7
