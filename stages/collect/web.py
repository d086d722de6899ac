"""Reading from strangers' servers: polite, bounded, and never from one's own network by accident.

- An address is looked up once and checked, and the connection goes to the address that was
  checked; the same for every redirect and every retry. So no name can lead to this machine.
- A few connections a host at a time; robots.txt and its Crawl-delay are heeded; who asks to wait
  (429 or 503 with Retry-After) is waited for, by all threads.
- Size, type, redirects, tries and the seconds of one answer are limited.
"""

import errno
import ipaddress
import socket
import ssl
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPException
from io import BytesIO
from typing import BinaryIO
from urllib.parse import urljoin
from urllib.robotparser import RobotFileParser

import certifi
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Retry, Url, parse_url

from stages.collect.candidate import MAX_BYTES

AGENT = "face-automl"
PER_HOST = 2  # connections at a time
REDIRECTS = 5
TRIES = 4
BACKOFF = 1.0  # seconds before the second try, doubled for each further one
DEAD = 5  # addresses of one host given up in a row: so is the host
MAX_WAIT = 600  # seconds: who asks for a longer pause is not waited for
CONNECT, SILENCE, WHOLE = 10, 30, 120  # seconds to connect, between two packets, for one answer
ROBOTS_BYTES = 512_000  # as RFC 9309 asks for
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Refused(Exception):
    """It cannot be had; the message is the reason. `status`: the server's, where it answered."""

    def __init__(self, reason: str, status: int | None = None, passing: bool = False) -> None:
        super().__init__(reason)
        self.status = status
        self.passing = passing  # another day it may be had


class _Busy(Exception):
    """Try again, after so many seconds where the server says how many."""

    def __init__(self, reason: str, host: "_Host", wait: float | None = None) -> None:
        super().__init__(reason)
        self.host = host
        self.wait = wait


class _Host:
    """Whose turn it is at one host."""

    def __init__(self) -> None:
        self.slots = threading.Semaphore(PER_HOST)
        self.lock = threading.Lock()
        self.ready = 0.0  # time.monotonic() before which nobody asks it anything
        self.delay = 0.0  # seconds between two requests
        self.failures = 0  # in a row: after DEAD of them the rest of its list is not waited for

    def pause(self, seconds: float) -> None:
        with self.lock:
            self.ready = max(self.ready, time.monotonic() + seconds)


class Web:
    """One per source; safe to use from many threads. `contact` stands in the User-Agent."""

    def __init__(self, contact: str, *, allow_private: bool = False) -> None:
        self.agent = f"{AGENT}/0.1 ({contact})"
        self.allow_private = allow_private
        self._hosts: dict[str, _Host] = defaultdict(_Host)
        self._robots: dict[str, RobotFileParser | Refused] = {}
        self._robots_locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._tls = ssl.create_default_context(cafile=certifi.where())

    def stop(self) -> None:
        """Whoever waits for a turn gives up."""
        self._stopped.set()

    def fetch(
        self,
        url: str,
        out: BinaryIO,
        *,
        types: tuple[str, ...],
        max_bytes: int = MAX_BYTES,
        robots: bool = True,
    ) -> Mapping[str, str]:
        """Write what `url` answers to `out`, and return the headers. `types`: beginnings of the
        Content-Types allowed. Raises `Refused`."""
        for attempt in range(TRIES):
            out.seek(0)
            out.truncate()
            try:
                return self._follow(url, out, types, max_bytes, robots)
            except _Busy as error:
                wait = BACKOFF * 2**attempt if error.wait is None else error.wait
                if wait > MAX_WAIT:
                    reason = f"{error}, and asks to wait {wait:.0f} s"
                    raise Refused(reason, passing=True) from error
                error.host.pause(wait)
                failure = error
        failure.host.failures += 1
        raise Refused(f"{failure} ({TRIES} tries)", passing=True)

    def pause(self, url: str, seconds: float) -> None:
        """Ask the host of `url` nothing for so long."""
        self._host(_parse(url)).pause(min(seconds, MAX_WAIT))

    def _follow(
        self, url: str, out: BinaryIO, types: tuple[str, ...], max_bytes: int, robots: bool
    ) -> Mapping[str, str]:
        for _ in range(REDIRECTS + 1):
            where = _parse(url)
            if robots and not self._allowed(where):
                raise Refused("the site's robots.txt asks not to fetch it")
            with self._turn(self._host(where)) as host, self._answer(where, host) as response:
                if response.status in (301, 302, 303, 307, 308):
                    url = urljoin(where.url, response.headers.get("Location", ""))
                    continue
                _check_answer(response, host, types, max_bytes)
                _copy(response, out, max_bytes)
                host.failures = 0
                return response.headers
        raise Refused(f"more than {REDIRECTS} redirects")

    def _host(self, where: Url) -> _Host:
        with self._lock:
            return self._hosts[where.host]

    @contextmanager
    def _turn(self, host: _Host) -> Iterator[_Host]:
        with host.slots:
            if host.failures >= DEAD:
                raise Refused("given up, as others of this host before it", passing=True)
            while True:
                with host.lock:
                    wait = host.ready - time.monotonic()
                    if wait <= 0:
                        host.ready = time.monotonic() + host.delay
                        break
                if self._stopped.wait(wait):
                    raise Refused("stopped", passing=True)
            yield host

    @contextmanager
    def _answer(self, where: Url, host: _Host) -> Iterator[HTTPResponse]:
        """The open answer of one request, to an address that was checked. What goes wrong with the
        connection, inside the `with` too, is `_Busy`."""
        open_now: list[HTTPConnection | socket.socket] = []
        late = threading.Event()
        # Each packet has SILENCE seconds, but somebody may send a byte every 29 s for ever.
        guard = threading.Timer(WHOLE, _hang_up, [open_now, late])
        guard.start()
        try:
            connection = self._connect(where, host, open_now)
            headers = {
                "Host": where.netloc,
                "User-Agent": self.agent,
                "Accept-Encoding": "identity",  # nothing that unpacks to more than was sent
            }
            connection.request("GET", where.request_uri, headers=headers, preload_content=False)
            yield connection.getresponse()
            if late.is_set():  # which looks like the end of an answer that tells no length
                raise TimeoutError("its answer is not whole")
        except ssl.SSLCertVerificationError as error:
            raise Refused(f"its certificate is not valid: {error.verify_message}") from error
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):  # our own disk
                raise
            slow = f" (cut off after {WHOLE} s)" if late.is_set() else ""
            raise _Busy(f"the connection failed: {_words(error)}{slow}", host) from error
        finally:
            guard.cancel()
            for thing in open_now:
                thing.close()

    def _connect(
        self, where: Url, host: _Host, open_now: list[HTTPConnection | socket.socket]
    ) -> HTTPConnection:
        """To the first of its addresses that answers."""
        name = where.host.strip("[]")
        *others, last = self._addresses(where, host)
        for address in (*others, last):
            connection = (
                HTTPSConnection(
                    address,
                    where.port,
                    timeout=CONNECT,
                    ssl_context=self._tls,
                    server_hostname=name,
                )
                if where.scheme == "https"
                else HTTPConnection(address, where.port, timeout=CONNECT)
            )
            open_now.append(connection)
            try:
                connection.connect()
            except ssl.SSLCertVerificationError:
                raise
            except (HTTPError, OSError):
                if address == last:
                    raise
            else:
                break
        open_now.append(connection.sock)  # the connection lets go of it when the answer starts
        connection.sock.settimeout(SILENCE)
        return connection

    def _addresses(self, where: Url, host: _Host) -> list[str]:
        """The host's addresses, all of them public (or `allow_private`)."""
        try:
            found = socket.getaddrinfo(
                where.host.strip("[]"), where.port or 0, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise _Busy(f"no address for {where.host}", host) from error
        addresses = list(dict.fromkeys(entry[4][0] for entry in found))
        if not self.allow_private and not all(map(is_public, addresses)):
            raise Refused("leads to a private address (allow_private: true would allow it)")
        return addresses

    def _allowed(self, where: Url) -> bool:
        origin = f"{where.scheme}://{where.netloc}"
        with self._lock:
            lock = self._robots_locks[origin]
        with lock:
            if origin not in self._robots:
                self._robots[origin] = self._read_robots(origin, self._host(where))
            rules = self._robots[origin]
        if isinstance(rules, Refused):
            raise rules
        return rules.can_fetch(AGENT, where.url)

    def _read_robots(self, origin: str, host: _Host) -> RobotFileParser | Refused:
        """RFC 9309: no robots.txt allows all; a server that cannot say is left alone."""
        rules, text = RobotFileParser(), BytesIO()
        try:
            self.fetch(f"{origin}/robots.txt", text, types=(), robots=False, max_bytes=ROBOTS_BYTES)
        except Refused as error:
            if error.status is None or not 400 <= error.status < 500:
                return Refused(f"robots.txt: {error}", passing=error.passing)
            rules.allow_all = True
        else:
            rules.parse(text.getvalue().decode("utf-8", "replace").splitlines())
            host.delay = max(host.delay, min(float(rules.crawl_delay(AGENT) or 0), MAX_WAIT))
        return rules


def is_public(address: str) -> bool:
    """Whether an address is one of the internet, also in the disguises that IPv6 offers."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6:
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if inner or ip in NAT64 or int(ip) < 2**32:
            return is_public(str(inner or ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


def _parse(url: str) -> Url:
    try:
        where = parse_url(url)
    except (LocationParseError, ValueError) as error:
        raise Refused("not a web address") from error
    if where.scheme not in ("http", "https") or not where.host:
        raise Refused("not a web address (http or https)")
    return where._replace(auth=None, fragment=None)


def _check_answer(
    response: HTTPResponse, host: _Host, types: tuple[str, ...], max_bytes: int
) -> None:
    status = response.status
    if status in (429, 500, 502, 503, 504):
        raise _Busy(f"the server answers {status}", host, _retry_after(response))
    if status != 200:
        raise Refused(f"the server answers {status}", status)
    kind = response.headers.get("Content-Type", "").lower()
    if types and kind and not kind.startswith(types):
        raise Refused(f"{kind.partition(';')[0]!r} is not a type of picture that is taken")
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise Refused(f"{int(length) / 1e6:.0f} MB; at most {max_bytes / 1e6:.1f} MB are read")


def _copy(response: HTTPResponse, out: BinaryIO, max_bytes: int) -> None:
    size = 0
    for part in response.stream(1 << 16, decode_content=False):
        size += len(part)
        if size > max_bytes:
            raise Refused(f"more than {max_bytes / 1e6:.1f} MB")
        out.write(part)


def _retry_after(response: HTTPResponse) -> float | None:
    with suppress(HTTPError, ValueError, OverflowError):  # nonsense in the header
        value = response.headers.get("Retry-After")
        return None if value is None else Retry(retry_after_max=10**9).parse_retry_after(value)
    return None


def _hang_up(open_now: list[HTTPConnection | socket.socket], late: threading.Event) -> None:
    """Wakes whoever reads from them."""
    late.set()
    for thing in list(open_now):
        with suppress(Exception):
            getattr(thing, "sock", thing).shutdown(socket.SHUT_RDWR)


def _words(error: Exception | None) -> str:
    """Without addresses of objects: the same words every time."""
    return str(error).rpartition(">: ")[2].strip() or type(error).__name__
