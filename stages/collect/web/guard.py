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
# All IPv6 addresses that IANA has given out so far; whatever else there is, or will be, is refused.
# https://www.iana.org/assignments/ipv6-unicast-address-assignments
UNICAST = ipaddress.ip_network("2000::/3")
# Of these, what Python 3.11 does not know of: 6to4, which leads to any IPv4 address (deprecated by
# RFC 7526), and documentation (RFC 9637).
SPECIAL = [ipaddress.ip_network("2002::/16"), ipaddress.ip_network("3fff::/20")]


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
    """Whether an IP address belongs to the internet. An IPv6 address that means an IPv4
    address is judged by the latter."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped or ip in NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        # ISATAP (RFC 5214): a tunnel to the IPv4 address in the last 32 bits
        tunnel = (int(ip) >> 32) & 0xFDFFFFFF == 0x5EFE
        if ip not in UNICAST or tunnel or any(ip in network for network in SPECIAL):
            return False
    return ip.is_global and not ip.is_multicast
