"""The process of a search: started, watched, started again, and ended with its parent.

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
MAX_DEATHS = 3  # of the process, where no trial is to blame


class Supervisor:
    """Runs `child` until it has ended.

    `searches`: the folder of the task's searches. A child that was killed is started again, and
    its trial is marked as interrupted. Ctrl-C asks it to end after the running epoch; a second one
    ends it at once.
    """

    def __init__(self, child: Child, searches: Path) -> None:
        self.child, self.searches = child, searches
        self.scratch: Path | None = None  # the search's folder, once it is announced
        self.stopping = False
        self.deaths = 0

    def __enter__(self) -> "Supervisor":
        self.handler = signal.signal(signal.SIGINT, self._interrupted)
        self.child.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        signal.signal(signal.SIGINT, self.handler)

    def announced(self) -> tuple[Announcement, Path]:
        """What the child works on, and the search's folder."""
        while True:
            assert self.child.process and self.child.process.stdout
            if line := self.child.process.stdout.readline():
                found = msgspec.json.decode(line, type=Announcement)
                self.scratch = self.searches / found.search_id
                return found, self.scratch
            self._ended(self.child.process.wait())

    def wait(self, minutes: float | None) -> None:
        """Until the child has ended. After `minutes`, it is asked to."""
        began = time.monotonic()
        while True:
            assert self.child.process
            status = self.child.process.poll()
            if status == 0:
                return
            if status is not None:
                self._ended(status)
            if minutes and time.monotonic() > began + 60 * minutes and not self.stopping:
                self.stop(f"{minutes:g} minutes are over (search.max_minutes)")
            time.sleep(0.1)

    def stop(self, why: str) -> None:
        log.info("%s: the search ends after the running epoch", why)
        self.stopping = True
        self.child.stop()

    def _ended(self, status: int) -> None:
        """Start the child again, unless it reported an error of its own."""
        if status > 0 and status != AGAIN:
            raise SystemExit(status)  # it has printed why
        if status < 0:
            reason = f"its process was killed by {signal.Signals(-status).name}"
            if -status == signal.SIGKILL:
                reason += " (by the system, if memory ran out)"
            log.warning("%s; going on", reason)
            if not self._blamed(reason):
                self.deaths += 1
            if self.deaths > MAX_DEATHS:
                raise UserError(f"the search cannot go on: {reason}, {self.deaths} times")
        self.child.start()
        if self.stopping:
            self.child.stop()

    def _blamed(self, reason: str) -> bool:
        """Mark the trial that the child itself was training, if any; whether there was one."""
        if not self.scratch:
            return False
        mine = attempts.interrupt(self.scratch, reason, worker=attempts.ALONE, crashed=True)
        return bool(mine)

    def _interrupted(self, signum: int, frame: FrameType | None) -> None:
        if self.stopping:
            raise KeyboardInterrupt
        self.stop("Ctrl-C (once more to stop at once)")
