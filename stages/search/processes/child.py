"""The process of a search, and how it and its parent understand each other.

The parent sets environment variables, and writes `stop` to the child's stdin. The child announces
what it works on, and leaves its result in a folder.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from stages.records.record import Record
from stages.records.trials import Setting

AGAIN = 75  # exit status of a process that wants to be started again (EX_TEMPFAIL of sysexits.h)
# In its environment: the digest of the shards of train and val, which takes seconds a gigabyte.
DATA = "SEARCH_DATA"
# What it leaves in the search's folder:
RESULT = "result"  # a folder with the network, trials.json, and
ARCHITECTURE = "architecture.txt"  # the network in words


class Announcement(Record):
    """A child's first line on stdout: what it works on."""

    search_id: str
    params: dict[str, Setting]  # with the block types that will be tried
    skipped: list[str]  # block types whose ImageNet weights are missing


@dataclass
class Child:
    """`python -m stages.search.processes.worker`."""

    task: str
    data: str
    environment: Mapping[str, str]  # for Ray, see `cluster`
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        with _interrupts_ignored():  # the parent handles Ctrl-C; children inherit that
            self.process = subprocess.Popen(
                [sys.executable, "-m", "stages.search.processes.worker", self.task],
                env=os.environ | {DATA: self.data, **self.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def stop(self) -> None:
        """Ask it to end after the running epoch."""
        assert self.process and self.process.stdin
        with suppress(BrokenPipeError):  # it has ended already
            self.process.stdin.write("stop\n")
            self.process.stdin.flush()

    def kill(self) -> None:
        """At once, with the Ray that it may have started."""
        import psutil

        assert self.process and self.process.stdin and self.process.stdout
        started: list[psutil.Process] = []
        with suppress(psutil.NoSuchProcess):  # it has ended already
            started = psutil.Process(self.process.pid).children(recursive=True)
        self.process.kill()
        for each in started:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        self.process.wait()
        self.process.stdout.close()
        with suppress(BrokenPipeError):  # something that it has not read
            self.process.stdin.close()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
