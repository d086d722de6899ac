"""python -m benchmarks.adversary [--files 10000] [--requests 500]

What bad will, bad luck and `kill -9` do to this project, as one table: hostile files into `collect`
and `decode`, hostile requests to the page, kills at each step of replacing a folder, and how many
look-ups of other machines all this has caused.

The page answers with the networks of data/promote, so run `make repro` first.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from contextlib import chdir, suppress
from pathlib import Path

import psutil
import pytest

from benchmarks import fuzz_collect, page
from stages.common.images import BadImage, decode
from tests.kills import kills
from tests.network_guard import guarded, lookups
from tests.promote import mini

STAGES = (("collect", "raw"), ("extract", "faces"), ("matte", "mattes"), ("split", "splits"))
MOST = 40  # kills a stage: each removed file of the old folder would be one more
MB = 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.adversary", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        os.environ.update(guarded(dict(os.environ), root / "network"))
        print("| attack | in | answered with a reason, or kept | slowest | most memory |")
        print("| --- | --- | --- | --- | --- |")
        into_collect(root, options.files)
        into_decode(options.files)
        into_page(options.requests)
        killed(root / "killed")
        calls = lookups(root / "network")
        row("look-ups of other machines", str(len(calls)), "; ".join(calls[:3]) or "bar: 0")


def into_collect(scratch: Path, count: int) -> None:
    photos = scratch / "photos"
    names = fuzz_collect.write_hostile(photos, count)
    path = fuzz_collect.project(scratch / "project", photos)
    began = time.perf_counter()
    process = fuzz_collect.start(path)
    watched, peak = psutil.Process(process.pid), 0.0
    while process.poll() is None:
        peak = max(peak, tree_memory(watched))
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    if process.returncode:
        sys.exit(f"collect failed:\n{process.stderr and process.stderr.read()[-3000:]}")
    found = fuzz_collect.accounted(path)
    once = sum(found[name] == 1 for name in names)
    took = f"{seconds:.0f} s in all"
    row("files into `collect`", f"{len(names)}", f"{once}", took, f"{peak:.0f} MB")


def into_decode(count: int) -> None:
    """In this process, one file after the other."""
    answered, slowest = 0, 0.0
    before = peak_memory()
    for photo in page.hostile(count):
        began = time.perf_counter()
        with suppress(BadImage):
            decode(photo)
        answered += 1  # any other exception ends this benchmark
        slowest = max(slowest, time.perf_counter() - began)
    more = f"{peak_memory() - before:+.0f} MB"
    row("files into `decode`", f"{count}", f"{answered}", f"{slowest:.1f} s", more)


def into_page(count: int) -> None:
    with page.server() as server:
        server.wait()
        with server.watched() as during:
            replies = [
                server.endless(bytes(2**16), 0),
                server.endless(b"\xff", 0.5),
                *map(server.ask, page.hostile(count - 2)),
            ]
    said = sum(reply.status == 200 or bool(reply.reason) for reply in replies)
    slowest = max(reply.seconds for reply in replies)
    counts = Counter(reply.status for reply in replies)
    statuses = ", ".join(f"{n} x {status}" for status, n in sorted(counts.items()))
    answered = f"{said} ({statuses})"
    row("requests to the page", f"{count}", answered, f"{slowest:.1f} s", f"{during.peak:.0f} MB")


def killed(root: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        mini.build(root, patch)
    with chdir(root):
        from stages.promote.__main__ import main as promote

        for stage, folder in STAGES:
            kills_row(stage, kills(mini.TASK, stage, folder, MOST))
        for quality, search in ((0.9, "6"), (1.0, "3")):
            mini.write_network(quality, search, wrong=5 if quality < 1 else 0)
            promote(mini.TASK)
        for stage in ("promote", "rollback"):
            kills_row(stage, kills(mini.TASK, stage, "promote", MOST))


def kills_row(stage: str, found: list[str]) -> None:
    old, new = found.count("old"), found.count("new")
    row(f"kills in `{stage}`", f"{len(found)}", f"{old + new} ({old} old folder, {new} new)")


def tree_memory(process: psutil.Process) -> float:
    """MB of a process and its children; 0 when it has ended."""
    try:
        several = [process, *process.children(recursive=True)]
        return sum(each.memory_info().rss for each in several) / MB
    except psutil.Error:
        return 0.0


def peak_memory() -> float:
    """MB that this process has held, at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB


def row(*cells: str) -> None:
    print("| " + " | ".join([*cells, *[""] * (5 - len(cells))]) + " |", flush=True)


if __name__ == "__main__":
    main()
