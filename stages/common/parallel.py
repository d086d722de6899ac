"""Work on all cores: results in order, constant memory, a progress bar."""

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
R = TypeVar("R")


def progress(items: Iterable, *, desc: str, total: int | None, unit: str = "photo") -> tqdm:
    """A tqdm bar. In a log file it writes a line every 10 s instead of every 0.1 s."""
    interval = 0.1 if sys.stderr.isatty() else 10
    return tqdm(items, desc=desc, total=total, unit=f" {unit}", mininterval=interval)


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_cores(
    function: Callable[[T], R],
    items: Iterable[T],
    *,
    desc: str,
    total: int,
    initializer: Callable[..., None] | None = None,
    initargs: tuple = (),
    unit: str = "photo",
    workers: int | None = None,
    few: int = 0,
) -> Iterator[R]:
    """Yield `function(item)` for each item, in order, computed by `workers` processes.

    Each worker has at most four items waiting, so that memory does not grow with their number.
    Processes are spawned, not forked, as threads of OpenCV and ONNX Runtime do not survive a fork.
    If `total` is at most `few`, this process computes them, as starting others would take longer.
    """
    if total <= few:
        yield from _here(function, items, desc, total, initializer, initargs, unit)
        return
    workers = min(workers or cores(), total)
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), _start, (initializer, initargs)
    )
    items = iter(items)
    # Only the parent handles Ctrl-C: workers are started while it is ignored, and inherit that.
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if _in_main_thread() else None
    pending = deque(pool.submit(function, item) for item in islice(items, 4 * workers))
    if handler:
        signal.signal(signal.SIGINT, handler)
    try:
        with progress(range(total), desc=desc, total=total, unit=unit) as bar:
            while pending:
                yield pending.popleft().result()
                bar.update()
                pending.extend(pool.submit(function, item) for item in islice(items, 1))
    finally:
        pool.shutdown(cancel_futures=True)


def _here(
    function: Callable[[T], R],
    items: Iterable[T],
    desc: str,
    total: int,
    initializer: Callable[..., None] | None,
    initargs: tuple,
    unit: str,
) -> Iterator[R]:
    if not total:
        return
    if initializer:
        initializer(*initargs)
    for item in progress(items, desc=desc, total=total, unit=unit):
        yield function(item)


def _in_main_thread() -> bool:  # signals cannot be set elsewhere
    return threading.current_thread() is threading.main_thread()


def _start(initializer: Callable[..., None] | None, initargs: tuple) -> None:
    import cv2

    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)  # there is a process for each core already
    if initializer:
        initializer(*initargs)


def _end_with_parent() -> None:
    """A parent that is killed cannot stop its workers: without this they would wait forever."""
    if parent := multiprocessing.parent_process():
        parent.join()
    os._exit(1)
