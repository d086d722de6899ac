"""Which addresses may be connected to: those of the public internet.

A URL from a list, or a redirect, must not reach this machine or its network ("server-side request
forgery"). Each request looks its host's name up once and checks every IP address; the connection
goes to one of these IP addresses, not to the name. So nothing is gained by a name that resolves
to another IP address the next time ("DNS rebinding").
"""

import ipaddress
import socket
from typing import NamedTuple

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from stages.collect.web.errors import Refused

# IPv6 addresses that stand for IPv4 addresses: https://www.rfc-editor.org/rfc/rfc6052
NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Address(NamedTuple):
    """A web address in parts."""

    url: str  # normalised, without user name and fragment
    scheme: str  # http or https
    host: str  # a name or an IP address, without the brackets of IPv6
    port: int | None
    netloc: str  # host:port as in the URL
    target: str  # path and query

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{self.netloc}"


def parse(url: str) -> Address:
    """Raises `Refused` for anything but an http or https address."""
    try:
        parts = parse_url(url)._replace(auth=None, fragment=None)
    except (LocationParseError, ValueError) as error:
        raise Refused("not a web address") from error
    if parts.scheme not in ("http", "https") or not parts.host or not parts.netloc:
        raise Refused("not a web address (http or https)")
    host = parts.host.strip("[]")
    return Address(parts.url, parts.scheme, host, parts.port, parts.netloc, parts.request_uri)


def ip_addresses(where: Address, *, allow_private: bool) -> list[str]:
    """All IP addresses of the host, each once, in the resolver's order.

    Raises `Refused` if one of them is not public, unless `allow_private`, and `OSError` for a name
    without IP addresses.
    """
    try:
        found = socket.getaddrinfo(where.host, where.port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise OSError(f"no address for {where.host}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_private and not all(map(is_public, addresses)):
        raise Refused("leads to a private address (allow_private: true would allow it)")
    return addresses


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet. An IPv6 address that contains an IPv4 address
    is judged by the latter."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo or (None, None))[1]
        if inner or ip in NAT64 or int(ip) < 2**32:
            return is_public(str(inner or ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast
