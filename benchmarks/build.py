"""python -m benchmarks.build [--jobs 2]

The default build from nothing, twice: by one `dvc repro`, and with tasks side by side. Prints what
each stage costs, starting Python and working apart, the times of both builds, and whether their
outputs are the same. What TensorFlow writes while it starts is hidden: that counts as working.

Both builds run with Python's own profile of imports, which costs them some percent.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from benchmarks.checkout import copy_checkout
from stages.records.folders import LOGS

IMPORT = re.compile(r"import time:\s+(?P<self>\d+) \|")
RUNS = re.compile(r"Running stage '(?P<stage>[^'@]+)")
# Outputs that say when or how fast something was done.
TIMED = re.compile(
    "data/(search|baseline|promote|report)/|data/evaluate/[^/]+/evaluation.json|reports/"
)


@dataclass
class Cost:
    """Of a stage, summed over all tasks."""

    runs: int = 0
    seconds: float = 0.0
    starting: float = 0.0  # of these, importing modules


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.build", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as scratch:
        serial = copy_checkout(Path(scratch, "serial"))
        costs, one_by_one = build(serial, "-m", "dvc", "repro")
        together = copy_checkout(Path(scratch, "together"))
        _, side_by_side = build(together, "-m", "stages.repro", "--jobs", str(jobs))
        imports = sum(map(started, (together / LOGS).glob("*.log")))
        show(costs)
        print(f"| all | {sum(each.runs for each in costs.values())} | | {one_by_one:.0f} |\n")
        print(f"one `dvc repro`: {one_by_one:.0f} s")
        print(f"{jobs} tasks at a time: {side_by_side:.0f} s, {imports:.0f} s of it imports")
        print(f"ratio: {one_by_one / side_by_side:.2f}")
        print(f"outputs that differ: {', '.join(differing(serial, together)) or 'none'}")
        _, again = build(together, "-m", "dvc", "repro")
        print(f"`dvc repro` with nothing to do: {again:.1f} s")


def build(path: Path, *command: str) -> tuple[dict[str, Cost], float]:
    """Run it in `path`: what each stage cost, where the output says it, and the whole seconds."""
    environment = os.environ | {"PYTHONPROFILEIMPORTTIME": "1", "PYTHONUNBUFFERED": "1"}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    costs = follow(process.stdout)
    if process.wait():
        sys.exit(f"{' '.join(command)} failed in {path}")
    return costs, time.perf_counter() - began


def follow(lines: Iterable[str]) -> dict[str, Cost]:
    costs: dict[str, Cost] = defaultdict(Cost)
    stage, began = "", 0.0
    for line in lines:
        if match := IMPORT.match(line):
            costs[stage].starting += int(match["self"]) / 1e6
        elif match := RUNS.match(line):
            costs[stage].seconds += time.perf_counter() - began
            stage, began = match["stage"], time.perf_counter()
            costs[stage].runs += 1
        elif not line.startswith("import time:"):
            print(line, end="", file=sys.stderr)
    costs[stage].seconds += time.perf_counter() - began
    del costs[""]  # DVC's own start
    return costs


def started(log: Path) -> float:
    """Seconds of imports in a task's log."""
    found = IMPORT.finditer(log.read_text("utf-8"))
    return sum(int(match["self"]) for match in found) / 1e6


def show(costs: dict[str, Cost]) -> None:
    print("| stage | runs | starting, s each | working, s each |")
    print("| --- | --- | --- | --- |")
    for stage, cost in costs.items():
        starting = cost.starting / cost.runs
        working = cost.seconds / cost.runs - starting
        print(f"| `{stage}` | {cost.runs} | {starting:.1f} | {working:.1f} |")


def differing(first: Path, second: Path) -> list[str]:
    """Outputs whose hash in dvc.lock differs, but for those with times in them."""
    hashes = []
    for path in (first, second):
        stages = yaml.safe_load((path / "dvc.lock").read_text("utf-8"))["stages"].values()
        outs = [out for stage in stages for out in stage.get("outs", [])]
        hashes.append({out["path"]: out["md5"] for out in outs})
    assert hashes[0].keys() == hashes[1].keys()
    found = [path for path, md5 in hashes[0].items() if hashes[1][path] != md5]
    return [path for path in found if not TIMED.match(path)]


if __name__ == "__main__":
    main()
