import os
import time

import pytest

from stages.common.parallel import map_cores


def slow_first(number):
    time.sleep(0.3 if number == 0 else 0)
    return number, os.getpid()


def fails_at_three(number):
    if number == 3:
        raise ValueError("three")
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_from_other_processes(workers):
    results = list(map_cores(slow_first, range(40), desc="", total=40, workers=workers))
    assert [number for number, _ in results] == list(range(40))
    pids = {pid for _, pid in results}
    assert len(pids) == workers and os.getpid() not in pids


def test_items_are_taken_only_as_they_are_needed():
    """Memory does not grow with the number of items: a few a worker are in flight."""
    taken = []
    results = map_cores(abs, (taken.append(i) or i for i in range(1000)), desc="", total=1000)
    next(results)
    assert len(taken) < 50
    results.close()


def test_a_workers_error_reaches_the_caller():
    with pytest.raises(ValueError, match="three"):
        list(map_cores(fails_at_three, range(10), desc="", total=10, workers=2))


def test_nothing_to_do():
    assert list(map_cores(abs, [], desc="", total=0)) == []
