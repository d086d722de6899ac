"""What a site's robots.txt allows: RFC 9309, https://www.rfc-editor.org/rfc/rfc9309

- The longest matching rule decides, and `Allow` wins over a `Disallow` of the same length. `*`
  means any characters, and a final `$` means the end of the address.
- A site without robots.txt (status 4xx) allows everything. A site whose robots.txt cannot be had
  (status 429 or 5xx, no connection) allows nothing.
- Crawl-delay, which is not part of the RFC, is kept as well. A warning says how long that
  makes things take, and a site that asks for more than the parameters allow is left out.
"""

import logging
import threading
from collections import defaultdict
from collections.abc import Callable

from protego import Protego

from stages.collect.web.errors import Refused
from stages.collect.web.guard import Address
from stages.collect.web.turns import Host

AGENT = "face-automl"  # the product token: robots.txt may have rules for this name
ROBOTS_BYTES = 500 * 1024  # the RFC asks to read at least these; what follows is not read

log = logging.getLogger(__name__)


class Robots:
    """The rules of each site, read once by the first thread that needs them.

    `read(url)` returns the first `ROBOTS_BYTES` of a robots.txt, or raises `Refused`.
    `max_crawl_delay`: the longest Crawl-delay that is kept, seconds.
    """

    def __init__(self, read: Callable[[str], bytes], max_crawl_delay: float) -> None:
        self._read, self._max_crawl_delay = read, max_crawl_delay
        self._rules: dict[str, Protego | Refused] = {}
        self._lock = threading.Lock()
        self._reading: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def check(self, where: Address, host: Host) -> None:
        """Raises `Refused` if the site's rules do not allow `where`; a Crawl-delay slows down
        `host`."""
        with self._lock:
            reading = self._reading[where.origin]
        with reading:
            if where.origin not in self._rules:
                self._rules[where.origin] = self._load(where.origin, host)
            rules = self._rules[where.origin]
        if isinstance(rules, Refused):
            raise rules
        if not rules.can_fetch(where.url, AGENT):
            raise Refused("the site's robots.txt asks not to fetch it")

    def _load(self, origin: str, host: Host) -> Protego | Refused:
        try:
            text = self._read(f"{origin}/robots.txt").decode("utf-8-sig", "replace")
        except Refused as error:
            if error.status is None or not 400 <= error.status < 500:
                return Refused(f"robots.txt: {error}", passing=error.passing)
            text = ""
        rules = Protego.parse(text)
        delay = rules.crawl_delay(AGENT) or 0
        if delay > self._max_crawl_delay:
            return Refused(
                f"robots.txt asks for {delay:g} s between two requests; "
                f"max_crawl_delay allows {self._max_crawl_delay:g} s"
            )
        if delay:
            hours = delay * 1000 / 3600
            log.warning(
                "%s asks for %g s between two requests: 1,000 files take %.1f hours",
                *(origin, delay, hours),
            )
            host.slow_down(delay)
        return rules
