"""When a request to a host may start: few at a time, with pauses that all threads keep."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from stages.collect.web.errors import Refused

PER_HOST = 2  # requests at a time
TRIES = 4  # of one download
BACKOFF = 1.0  # seconds before the second try, doubled for each further one
MAX_WAIT = 600  # seconds: the longest pause that a server can ask for
DEAD = 5  # failed downloads in a row, after which the host is given up


class Busy(Exception):
    """A request to `host` failed, and may succeed later."""

    def __init__(self, reason: str, host: "Host", wait: float | None = None) -> None:
        super().__init__(reason)
        self.host = host
        self.wait = wait  # seconds, if the server names them


class Host:
    """The turns at one host, shared by all threads."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._slots = threading.Semaphore(PER_HOST)
        self._lock = threading.Lock()  # of what follows
        self._ready = 0.0  # no request starts before this time.monotonic()
        self._delay = 0.0  # seconds from the start of a request to the start of the next
        self._failures = 0  # failed downloads since the last successful one

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold one of the host's slots, after its pause is over.

        Raises `Refused` if the host is given up, or the download is stopped during the pause.
        """
        with self._slots:
            if self._failures >= DEAD:
                raise Refused(f"given up: {DEAD} downloads from this host failed", passing=True)
            while (wait := self._reserve()) > 0:
                if self._stopped.wait(wait):
                    raise Refused("stopped", passing=True)
            yield

    def _reserve(self) -> float:
        """Seconds still to wait; if there are none, the turn is taken."""
        with self._lock:
            now = time.monotonic()
            if self._ready <= now:
                self._ready = now + self._delay
                return 0.0
            return self._ready - now

    def pause(self, seconds: float) -> None:
        """Start no request for so long, but at most `MAX_WAIT` seconds."""
        with self._lock:
            self._ready = max(self._ready, time.monotonic() + min(seconds, MAX_WAIT))

    def slow_down(self, delay: float) -> None:
        """Leave `delay` seconds between the starts of two requests."""
        with self._lock:
            self._delay = max(self._delay, delay)

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def failed(self, busy: Busy, tries: int) -> None:
        """Pause before the next of a download's `tries`: as long as the server asks, or back off.

        Raises `Refused` if the server asks for too long a pause, or this was the last try.
        """
        wait = BACKOFF * 2 ** (tries - 1) if busy.wait is None else busy.wait
        if wait > MAX_WAIT:
            raise Refused(f"{busy}, and asks to wait {wait:.0f} s", passing=True) from busy
        self.pause(wait)
        if tries >= TRIES:
            with self._lock:
                self._failures += 1
            raise Refused(f"{busy} ({TRIES} tries)", passing=True) from busy


class Turns:
    """All hosts that one `Web` talks to."""

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._hosts: defaultdict[str, Host] = defaultdict(lambda: Host(self._stopped))

    def host(self, name: str) -> Host:
        with self._lock:
            return self._hosts[name]

    def stop(self) -> None:
        """End every pause at once: threads that wait for a turn get `Refused`."""
        self._stopped.set()
