"""One download over HTTP: connect, follow redirects, check the response, copy it, retry.

Redirects, tries, bytes, types and the seconds of each request are limited. Every request, also that
of a redirect or a retry, is checked by `guard` and `robots` and waits for its turn.
"""

import errno
import http.client
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO
from urllib.parse import urljoin

import certifi
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.util import Retry

from stages.collect.web.errors import Refused
from stages.collect.web.guard import Address, ip_addresses, parse
from stages.collect.web.robots import AGENT, ROBOTS_BYTES, Robots
from stages.collect.web.turns import MAX_WAIT, Busy, Host, Turns
from stages.common.images import MAX_BYTES

REDIRECTS = 5
CONNECT = 10  # seconds to connect
SILENCE = 30  # seconds between two packets
WHOLE = 120  # seconds for a whole request: a server may send one byte every 29 s for ever
PART = 1 << 16  # bytes read at a time
AROUND = 1_000_000  # bytes that a response may have besides its body, as long again in chunks

Take = Callable[[HTTPResponse], object]  # what to do with a response of status 200


class Web:
    """Downloads for one source; safe to use from many threads.

    `contact`, an e-mail address or a web page, is sent with every request as part of the
    User-Agent. `allow_private` also allows this machine and its network. `max_crawl_delay`: see
    `Robots`.
    """

    def __init__(
        self, contact: str, allow_private: bool = False, max_crawl_delay: float = MAX_WAIT
    ) -> None:
        self._agent = f"{AGENT}/0.1 ({contact})"
        self._allow_private = allow_private
        self._turns = Turns()
        self._robots = Robots(self._read_robots, max_crawl_delay)
        self._tls = ssl.create_default_context(cafile=certifi.where())

    def stop(self) -> None:
        """End every pause: threads that wait for a turn get `Refused`."""
        self._turns.stop()

    def pause(self, url: str, seconds: float) -> None:
        """Start no request to the host of `url` for so long."""
        self._turns.host(parse(url).host).pause(seconds)

    def fetch(
        self,
        url: str,
        out: BinaryIO,
        *,
        types: tuple[str, ...],
        max_bytes: int = MAX_BYTES,
        obey_robots: bool = True,
    ) -> Mapping[str, str]:
        """Write the file at `url` to `out`, and return the response's headers.

        `types`: the beginnings of the Content-Types that are accepted. Raises `Refused`.
        """

        def take(response: HTTPResponse) -> None:
            _check_type(response, types)
            _check_length(response, max_bytes)
            if _copy(response, out, max_bytes) > max_bytes:
                raise Refused(f"more than {max_bytes / 1e6:.1f} MB")

        return self._with_retries(url, take, max_bytes, obey_robots)

    def _read_robots(self, url: str) -> bytes:
        text = BytesIO()
        take = partial(_copy, out=text, max_bytes=ROBOTS_BYTES)
        self._with_retries(url, take, ROBOTS_BYTES, False)
        return text.getvalue()[:ROBOTS_BYTES]

    def _with_retries(
        self, url: str, take: Take, max_bytes: int, obey_robots: bool
    ) -> Mapping[str, str]:
        tries = 0
        while True:
            try:
                return self._follow(url, take, max_bytes, obey_robots)
            except Busy as busy:
                tries += 1
                busy.host.failed(busy, tries)

    def _follow(self, url: str, take: Take, max_bytes: int, obey_robots: bool) -> Mapping[str, str]:
        for _ in range(REDIRECTS + 1):
            where = parse(url)
            host = self._turns.host(where.host)
            if obey_robots:
                self._robots.check(where, host)
            with host.turn(), self._request(where, host, max_bytes) as response:
                if response.status in (301, 302, 303, 307, 308):
                    url = urljoin(where.url, response.headers.get("Location", ""))
                    continue
                _check_status(response, host)
                take(response)
                host.succeeded()
                return response.headers
        raise Refused(f"more than {REDIRECTS} redirects")

    @contextmanager
    def _request(self, where: Address, host: Host, max_bytes: int) -> Iterator[HTTPResponse]:
        """The response to one request, open inside the `with`.

        Raises `Busy` if the connection fails, also while the response is read, and `Refused` for an
        IP address or a certificate that is not accepted.
        """
        open_now: list[HTTPConnection | socket.socket] = []
        late = threading.Event()
        deadline = threading.Timer(WHOLE, _hang_up, [open_now, late])
        deadline.start()
        try:
            connection = self._connect(where, open_now)
            headers = {
                "Host": where.netloc,
                "User-Agent": self._agent,
                "Accept-Encoding": "identity",  # a compressed response could unpack to gigabytes
            }
            most = 2 * max_bytes + AROUND
            connection.response_class = partial(_Response, most=most)  # pyright: ignore[reportAttributeAccessIssue]
            connection.request("GET", where.target, headers=headers, preload_content=False)
            yield connection.getresponse()
            if late.is_set():  # without a Content-Length, hanging up looks like a complete response
                raise TimeoutError("the response is not complete")
        except ssl.SSLCertVerificationError as error:
            raise Refused(f"its certificate is not valid: {error.verify_message}") from error
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):  # this machine's disk
                raise
            slow = f" (cut off after {WHOLE} s)" if late.is_set() else ""
            raise Busy(f"the connection failed: {_message(error)}{slow}", host) from error
        finally:
            deadline.cancel()
            for thing in open_now:
                thing.close()

    def _connect(
        self, where: Address, open_now: list[HTTPConnection | socket.socket]
    ) -> HTTPConnection:
        """A connection to the first of the host's IP addresses that accepts one."""
        *others, last = ip_addresses(where, allow_private=self._allow_private)
        for ip in others:
            with suppress(HTTPError, OSError):
                return self._connect_to(ip, where, open_now)
        return self._connect_to(last, where, open_now)

    def _connect_to(
        self, ip: str, where: Address, open_now: list[HTTPConnection | socket.socket]
    ) -> HTTPConnection:
        if where.scheme == "https":
            connection = HTTPSConnection(
                ip,
                where.port,
                timeout=CONNECT,
                ssl_context=self._tls,
                server_hostname=where.host,  # the certificate must be valid for this name
            )
        else:
            connection = HTTPConnection(ip, where.port, timeout=CONNECT)
        open_now.append(connection)
        connection.connect()
        if connection.sock is None:
            raise OSError("no connection")
        open_now.append(connection.sock)  # the connection drops it when the response starts
        connection.sock.settimeout(SILENCE)
        return connection


class _Response(http.client.HTTPResponse):
    """Reads at most `most` bytes from its socket, whether they are headers, trailers, the sizes of
    chunks or the body."""

    def __init__(self, sock: socket.socket, *args: Any, most: int, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp = io.BufferedReader(_Counted(self.fp.detach(), most))


class _Counted(io.RawIOBase):
    """The bytes of `raw`. Raises `Refused` once there are more than `most`."""

    def __init__(self, raw: io.RawIOBase, most: int) -> None:
        self._raw, self._left = raw, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        read = self._raw.readinto(buffer)
        self._left -= read or 0
        if self._left < 0:
            raise Refused("the server sends more than a file of the size allowed needs")
        return read

    def close(self) -> None:
        self._raw.close()
        super().close()


def _check_status(response: HTTPResponse, host: Host) -> None:
    status = response.status
    if status in (429, 500, 502, 503, 504):
        raise Busy(f"the server answers {status}", host, _retry_after(response))
    if status != 200:
        raise Refused(f"the server answers {status}", status=status)


def _retry_after(response: HTTPResponse) -> float | None:
    """Seconds from now, or None where the header is missing or not valid."""
    value = response.headers.get("Retry-After")
    if value is not None:
        with suppress(HTTPError, ValueError, OverflowError):
            return Retry(retry_after_max=10**9).parse_retry_after(value)
    return None


def _check_type(response: HTTPResponse, types: tuple[str, ...]) -> None:
    kind = response.headers.get("Content-Type", "").lower()
    if kind and not kind.startswith(types):
        raise Refused(f"{kind.partition(';')[0]!r} is not a type that is accepted")


def _check_length(response: HTTPResponse, max_bytes: int) -> None:
    length = response.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > max_bytes:
        raise Refused(f"{int(length) / 1e6:.0f} MB; at most {max_bytes / 1e6:.1f} MB are read")


def _copy(response: HTTPResponse, out: BinaryIO, max_bytes: int) -> int:
    """Replace what is in `out` by the response's body; stop once there are more than `max_bytes`.

    Returns the bytes written. `read1` reads at most `PART` bytes. `stream` would trust the server:
    a chunk of size -1 makes it read to the end of the connection into memory.
    """
    out.seek(0)
    out.truncate()
    size = 0
    while size <= max_bytes and (part := response.read1(PART, decode_content=False)):
        size += out.write(part)
    return size


def _hang_up(open_now: list[HTTPConnection | socket.socket], late: threading.Event) -> None:
    """Shut the sockets down, which ends every read from them."""
    late.set()
    for thing in list(open_now):
        sock = thing.sock if isinstance(thing, HTTPConnection) else thing
        if sock:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def _message(error: Exception) -> str:
    """The error's text without the memory addresses that urllib3 puts in front of it."""
    return str(error).rpartition(">: ")[2].strip() or type(error).__name__
