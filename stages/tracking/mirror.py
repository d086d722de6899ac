"""A search's files, sent to MLflow while it trains. The training never waits for that."""

import logging
import threading
import time
from pathlib import Path
from typing import NamedTuple

from stages.common.clock import now_ms
from stages.records import attempts
from stages.records.trials import Search, Trials
from stages.tracking import store
from stages.tracking.searches import MirroredSearch

log = logging.getLogger(__name__)
PAUSE = 1.0  # seconds between looks at the files
LONGEST_PAUSE = 30.0  # when MLflow does not answer
FAREWELL = 20.0  # seconds that the end of a search waits for MLflow


class Ending(NamedTuple):
    """How a search has ended."""

    status: str
    files: dict[str, str]  # name -> text, for the run's artifacts
    result: Trials | None  # of a search that came to its end


class Mirror(threading.Thread):
    """Makes MLflow show what the files in `scratch` say.

    MLflow may be slow, locked or away: this thread tries again and again. What is still unsent at
    the end is in trials.json, and `stages.tracking.register` sends it later.
    """

    def __init__(self, task: str, search: Search, scratch: Path) -> None:
        super().__init__(daemon=True)
        self.task, self.search, self.scratch = task, search, scratch
        self.mirrored: MirroredSearch | None = None
        self.ending: Ending | None = None
        self.awake = threading.Event()

    def run(self) -> None:
        pause = PAUSE
        while True:
            ending = self.ending
            try:
                self._send(ending)
                if ending:
                    return
                pause = PAUSE
            except Exception as error:
                if pause == PAUSE:
                    log.warning(
                        "MLflow does not answer (%s); the search goes on, and MLflow gets the rest "
                        "later",
                        str(error).splitlines()[0][:200],
                    )
                pause = min(2 * pause, LONGEST_PAUSE)
                log.debug("MLflow", exc_info=error)
            self.awake.wait(pause)
            if self.ending and pause > PAUSE:
                time.sleep(PAUSE)  # `wait` no longer does: `awake` is set

    def finish(self, status: str, files: dict[str, str], result: Trials | None) -> None:
        """Send the rest, in at most `FAREWELL` seconds, and close the run, see `Ending`."""
        self.ending = Ending(status, files, result)
        self.awake.set()
        self.join(FAREWELL)
        if self.is_alive():
            log.warning(
                "MLflow does not have all of this search yet; the next `dvc repro` sends the rest"
            )

    def _send(self, ending: Ending | None) -> None:
        if not self.mirrored:
            mirrored = MirroredSearch(store.connect(), self.task, self.search)
            mirrored.open(store.git_commit())
            self.mirrored = mirrored
        found = attempts.read(self.scratch)
        self.mirrored.send(found, attempts.final_fits(self.scratch))
        if ending:
            self.mirrored.close(ending.status, now_ms(), len(found), ending.files, ending.result)
