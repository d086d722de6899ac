import os
import subprocess
import sys
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


SCRIPT = """
import os, sys, time
from stages.common.parallel import map_cores

def pid(_):
    time.sleep(0.1)
    return os.getpid()

if __name__ == "__main__":
    for each in map_cores(pid, range(1000), desc="", total=1000, workers=2):
        print(each, flush=True)
"""


@pytest.mark.slow
def test_workers_end_with_a_parent_that_is_killed(tmp_path):
    """Else they would wait for ever, or write into what the next run is making."""
    (tmp_path / "script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    workers = {int(process.stdout.readline()) for _ in range(10)}
    assert len(workers) == 2
    process.kill()
    # They hold the other end of this pipe, and it is at its end when they are.
    process.communicate(timeout=10)
