"""The processes of a search: started, watched, started again, and ended with their parent.

Training has a process of its own because TensorFlow leaks, and because the system kills a process
that asks for more memory than there is: the search must survive both.
"""

import logging
import signal
import time
from pathlib import Path
from types import FrameType

import msgspec

from stages.common.errors import UserError
from stages.records import attempts
from stages.search.processes.child import AGAIN, Announcement, Child

log = logging.getLogger(__name__)
MAX_DEATHS = 3  # of processes, where no trial is to blame


class Supervisor:
    """Runs `children` until the first of them, the chief or the only one, has ended.

    `searches`: the folder of the task's searches. A child that was killed is started again, and
    its trial is marked as interrupted. Ctrl-C asks all to end after the running epoch; a second
    one ends them at once.
    """

    def __init__(self, children: list[Child], searches: Path) -> None:
        self.children, self.searches = children, searches
        self.scratch: Path | None = None  # the search's folder, once it is announced
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
            child.kill()

    def announced(self) -> tuple[Announcement, Path]:
        """What the first child works on, and the search's folder."""
        first = self.children[0]
        while True:
            assert first.process and first.process.stdout
            if line := first.process.stdout.readline():
                found = msgspec.json.decode(line, type=Announcement)
                self.scratch = self.searches / found.search_id
                return found, self.scratch
            self._ended(first, first.process.wait())

    def wait(self, minutes: float | None) -> None:
        """Until the first child has ended. After `minutes`, all are asked to."""
        deadline = time.monotonic() + 60 * minutes if minutes else None
        running = list(self.children)
        while self.children[0] in running:
            for child in list(running):
                assert child.process
                status = child.process.poll()
                if status == 0:
                    running.remove(child)
                elif status is not None:
                    self._ended(child, status)
            if minutes and deadline and time.monotonic() > deadline and not self.stopping:
                self.stop(f"{minutes:g} minutes are over (search.max_minutes)")
            time.sleep(0.1)

    def stop(self, why: str) -> None:
        log.info("%s: the search ends after the running epoch", why)
        self.stopping = True
        for child in self.children:
            child.stop()

    def _ended(self, child: Child, status: int) -> None:
        """Start `child` again, unless it reported an error of its own."""
        if status > 0 and status != AGAIN:
            raise SystemExit(status)  # it has printed why
        if status < 0:
            reason = f"its process was killed by {signal.Signals(-status).name}"
            if -status == signal.SIGKILL:
                reason += " (by the system, if memory ran out)"
            log.warning("%s; going on", reason)
            if not self._blamed(child, reason):
                self.deaths += 1
            if self.deaths > MAX_DEATHS:
                raise UserError(f"the search cannot go on: {reason}, {self.deaths} times")
        child.start()
        if self.stopping:
            child.stop()

    def _blamed(self, child: Child, reason: str) -> bool:
        """Mark the trial that `child` was training, if any; whether there was one."""
        if not self.scratch:
            return False
        return bool(attempts.interrupt(self.scratch, reason, worker=child.name, crashed=True))

    def _interrupted(self, signum: int, frame: FrameType | None) -> None:
        if self.stopping:
            raise KeyboardInterrupt
        self.stop("Ctrl-C (once more to stop at once)")
