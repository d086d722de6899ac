"""The processes of a search: started, watched, started again, and never left behind.

Training has a process of its own because TensorFlow leaks, and because a process that asks for
more memory than there is gets killed: the search must outlive both.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Any

from stages.common.errors import UserError

log = logging.getLogger(__name__)
AGAIN = 75  # as stages.search.processes.chief says, whose import takes seconds
MAX_DEATHS = 3  # of processes that no trial is to blame for


@dataclass
class Child:
    """`python -m stages.search.processes.worker`, which trains on `data` (a digest of its
    shards).

    `name` is KerasTuner's for it; `chief` is where KerasTuner's chief listens, if there is one.
    """

    task: str
    data: str
    name: str
    chief: tuple[str, str] | None = None  # host, port
    process: subprocess.Popen | None = None

    def start(self) -> None:
        with _interrupts_ignored():  # Ctrl-C is the parent's to handle; children inherit that
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stages.search.processes.worker", self.task],
                env=os.environ | self._environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def _environment(self) -> dict[str, str]:
        known = {"SEARCH_DATA": self.data, "KERASTUNER_TUNER_ID": self.name}
        if self.chief:
            known["KERASTUNER_ORACLE_IP"], known["KERASTUNER_ORACLE_PORT"] = self.chief
        return known

    def stop(self) -> None:
        """Ask it to end after the running epoch."""
        with suppress(BrokenPipeError):  # it has ended already
            self.process.stdin.write("stop\n")
            self.process.stdin.flush()


class Supervisor:
    """Runs `children` until the first of them (the chief, or the only one) has ended.

    `crashed(name, reason)` is called when one was killed; it returns whether a trial is to blame.
    Ctrl-C asks them to end after the running epoch, and a second one ends them at once.
    """

    def __init__(self, children: list[Child], crashed: Callable[[str, str], bool]) -> None:
        self.children, self.crashed = children, crashed
        self.stopping = False
        self.deaths = 0

    def __enter__(self) -> "Supervisor":
        self.handler = signal.signal(signal.SIGINT, self._interrupted)
        for child in self.children:
            child.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        signal.signal(signal.SIGINT, self.handler)

    def kill(self) -> None:
        for child in self.children:
            child.process.kill()
            child.process.wait()
            child.process.stdout.close()
            with suppress(BrokenPipeError):  # what it had not read any more
                child.process.stdin.close()

    def announced(self) -> dict[str, Any]:
        """What the first child says when it knows what it works on."""
        while not (line := self.children[0].process.stdout.readline()):
            self._ended(self.children[0], self.children[0].process.wait())
        return json.loads(line)

    def wait(self, minutes: float | None) -> None:
        """Until the first child has ended; after `minutes` all are asked to."""
        deadline = time.monotonic() + 60 * minutes if minutes else None
        running = list(self.children)
        while self.children[0] in running:
            for child in list(running):
                status = child.process.poll()
                if status == 0:
                    running.remove(child)
                elif status is not None:
                    self._ended(child, status)
            if deadline and time.monotonic() > deadline and not self.stopping:
                self.stop(f"{minutes:g} minutes are over (search.max_minutes)")
            time.sleep(0.1)

    def stop(self, why: str) -> None:
        log.info("%s: the search ends after the running epoch", why)
        self.stopping = True
        for child in self.children:
            child.stop()

    def _ended(self, child: Child, status: int) -> None:
        """Start `child` again, unless it ended for a reason that another start does not mend."""
        if status > 0 and status != AGAIN:
            raise SystemExit(status)  # it has said why
        if status < 0:
            reason = f"its process was killed by {signal.Signals(-status).name}"
            if -status == signal.SIGKILL:
                reason += " (by the system, if memory ran out)"
            log.warning("%s; going on", reason)
            if not self.crashed(child.name, reason):
                self.deaths += 1
            if self.deaths > MAX_DEATHS:
                raise UserError(f"the search cannot go on: {reason}, {self.deaths} times")
        child.start()
        if self.stopping:
            child.stop()

    def _interrupted(self, signum: int, frame: FrameType | None) -> None:
        if self.stopping:
            raise KeyboardInterrupt
        self.stop("Ctrl-C (once more to stop at once)")


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
