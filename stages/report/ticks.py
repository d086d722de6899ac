"""Round numbers for the axis of a chart."""

import math
from itertools import count


def ticks(low: float, high: float, most: int = 6, *, least: float = 0.0) -> list[float]:
    """Multiples of one round step, from at or below `low` to at or above `high`.

    The step is the smallest of 1, 2 and 5 times a power of ten that needs at most `most` steps and
    is not below `least`, itself a power of ten (after P. Heckbert, "Nice numbers for graph labels",
    Graphics Gems, 1990). Equal ends get some room on both sides.
    """
    if low == high:
        room = abs(low) / 10 or 1.0
        low, high = low - room, high + room
    for exponent in count(math.floor(math.log10(max((high - low) / most, least)))):
        for digit in (1, 2, 5):
            step = digit * 10.0**exponent
            # Rounded, so that 0.3 / 0.1 = 2.9999999999999996 does not cost a step.
            first, last = math.floor(round(low / step, 9)), math.ceil(round(high / step, 9))
            if last - first <= most:
                return [round(k * step, max(-exponent, 0)) for k in range(first, last + 1)]
    raise AssertionError("unreachable: steps grow without end")
