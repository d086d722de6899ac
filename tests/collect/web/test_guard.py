"""Which addresses may be connected to."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.collect.web import Web, guard
from stages.collect.web.guard import is_public

JPEG = {"Content-Type": "image/jpeg"}


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::"),
        *("fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::", "::7f00:1", "2001:db8::1"),
        *("fec0::1", "::ffff:0:127.0.0.1", "2a00:1450::5efe:127.0.0.1", "64:ff9b:1::a00:1"),
        *("2002:808:808::1", "3fff::1", "5f00::1", "100::1", "4000::1", "::8.8.8.8"),
    ],
)
def test_private_addresses_in_all_disguises(address):
    assert not is_public(address)


# Ways to write an IPv4 address as an IPv6 address.
MAPPED, NAT64, COMPATIBLE, SIIT = "::ffff:{}", "64:ff9b::{}", "::{}", "::ffff:0:{}"
ISATAP = ("2a00:1450:4001:80e:0:5efe:{}", "2a00:1450:4001:80e:200:5efe:{}", "fe80::5efe:{}")
IPV4 = st.ip_addresses(v=4).map(str)


@given(IPV4)
def test_an_ipv4_address_in_ipv6_is_public_only_where_it_is_translated(address):
    assert is_public(MAPPED.format(address)) == is_public(address)
    assert is_public(NAT64.format(address)) == is_public(address)
    assert not any(is_public(form.format(address)) for form in (COMPATIBLE, SIIT, *ISATAP))
    sixtofour = ipaddress.IPv6Address((0x2002 << 112) + (int(ipaddress.IPv4Address(address)) << 80))
    assert not is_public(str(sixtofour))


@given(st.ip_addresses(v=6))
def test_ipv6_addresses_that_nobody_has_been_given_are_refused(ip):
    stands_for_ipv4 = ip.ipv4_mapped or ip in ipaddress.ip_network("64:ff9b::/96")
    if not stands_for_ipv4 and ip not in ipaddress.ip_network("2000::/3"):
        assert not is_public(str(ip))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "2a00:1450:4001:80e::200e", "::ffff:8.8.8.8"]
)
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/a", "http://localhost/a", "http://[::1]/a", "http://2130706433/a"),
        *("http://127.1/a", "http://0x7f.1/a", "http://user@127.0.0.1/a", "https://0/a"),
    ],
)
def test_this_machine_is_refused_unless_allowed(url, refusal):
    assert "private address" in str(refusal(url, Web("me@example.org")))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "", "a.jpg", "http://", "http://[", "data:,x"]
)
def test_only_web_addresses_are_accepted(url, refusal):
    assert "not a web address" in str(refusal(url))


@pytest.fixture
def half_public(monkeypatch):
    """127.0.0.1 counts as public, 127.0.0.2 as private."""
    monkeypatch.setattr(guard, "is_public", lambda address: address == "127.0.0.1")
    return Web("me@example.org")


def test_a_redirect_cannot_lead_inside(server, half_public, refusal):
    inside = server.url.replace("127.0.0.1", "127.0.0.2")
    server.routes["/a"] = (302, {"Location": f"{inside}/secret"}, b"")
    server.routes["/secret"] = (200, JPEG, b"secret")
    assert "private address" in str(refusal(f"{server.url}/a", half_public))
    assert server.times("/secret") == 0


def test_the_connection_goes_to_the_address_that_was_checked(
    server, half_public, monkeypatch, fetch, refusal
):
    """A name that answers differently the second time (DNS rebinding) gets no second time."""
    real, looked_up = socket.getaddrinfo, []

    def rebinding(host, port, *args, **options):
        if host == "evil.test":
            looked_up.append(host)
            host = "127.0.0.1" if len(looked_up) <= 2 else "127.0.0.2"
        return real(host, port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    server.routes["/a"] = (200, JPEG, b"data")
    port = server.http.server_port
    assert fetch(f"http://evil.test:{port}/a", half_public) == b"data"
    assert len(looked_up) == 2  # for robots.txt and for the file: once each
    assert server.headers["Host"] == f"evil.test:{port}"
    assert "private address" in str(refusal(f"http://evil.test:{port}/a", half_public))


def test_one_private_address_among_several_is_enough(server, half_public, monkeypatch, refusal):
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    both = [(*entry, ("127.0.0.1", 0)), (*entry, ("127.0.0.2", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert "private address" in str(refusal(f"{server.url}/a", half_public))
