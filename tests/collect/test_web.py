import gzip
import io
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stages.collect import web
from stages.collect.web import Refused, Web, is_public

JPEG = {"Content-Type": "image/jpeg"}


def fetch(url, client=None, types=("image/",), **options):
    out = io.BytesIO()
    client = client or Web("me@example.org", allow_private=True)
    client.fetch(url, out, types=types, **options)
    return out.getvalue()


def refusal(*args, **options):
    with pytest.raises(Refused) as error:
        fetch(*args, **options)
    return error.value


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
        *("0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::1", "::"),
        *("fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"),
        *("64:ff9b::7f00:1", "2002:7f00:1::", "2002:a00:1::", "::7f00:1", "2001:db8::1"),
    ],
)
def test_private_addresses_in_all_disguises(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses(address):
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/a", "http://localhost/a", "http://[::1]/a", "http://2130706433/a"),
        *("http://127.1/a", "http://0x7f.1/a", "http://user@127.0.0.1/a", "https://0/a"),
    ],
)
def test_this_machine_is_refused_unless_allowed(url):
    assert "private address" in str(refusal(url, Web("me@example.org")))


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a/b", "", "a.jpg", "http://", "http://[", "data:,x"]
)
def test_what_is_no_web_address(url):
    assert "not a web address" in str(refusal(url))


@pytest.fixture
def half_public(monkeypatch):
    """127.0.0.1 counts as public, 127.0.0.2 as private."""
    monkeypatch.setattr(web, "is_public", lambda address: address == "127.0.0.1")
    return Web("me@example.org")


def test_a_redirect_cannot_lead_inside(server, half_public):
    inside = server.url.replace("127.0.0.1", "127.0.0.2")
    server.routes["/a"] = (302, {"Location": f"{inside}/secret"}, b"")
    server.routes["/secret"] = (200, JPEG, b"secret")
    assert "private address" in str(refusal(f"{server.url}/a", half_public))
    assert server.times("/secret") == 0


def test_the_connection_goes_to_the_address_that_was_checked(server, half_public, monkeypatch):
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


def test_one_private_address_among_several_is_enough(server, half_public, monkeypatch):
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    both = [(*entry, ("127.0.0.1", 0)), (*entry, ("127.0.0.2", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert "private address" in str(refusal(f"{server.url}/a", half_public))


def test_it_says_who_asks(server):
    server.routes["/a"] = (200, JPEG, b"data")
    assert fetch(f"{server.url}/a?b=c#d") == b"data"
    assert server.asked == ["/robots.txt", "/a?b=c"]
    assert "face-automl" in server.headers["User-Agent"]
    assert "me@example.org" in server.headers["User-Agent"]


def test_robots_txt_is_heeded_and_read_once(server):
    rules = b"User-agent: *\nDisallow: /private/\nCrawl-delay: 0.0\n"
    server.routes["/robots.txt"] = (200, {}, rules)
    server.routes |= {"/private/a": (200, JPEG, b"x"), "/b": (200, JPEG, b"x")}
    client = Web("me@example.org", allow_private=True)
    assert "robots.txt asks not to" in str(refusal(f"{server.url}/private/a", client))
    assert fetch(f"{server.url}/b", client) == b"x"
    assert server.times("/robots.txt") == 1 and server.times("/private/a") == 0


def test_a_redirect_asks_the_robots_txt_of_where_it_leads(server):
    server.routes["/robots.txt"] = (200, {}, b"User-agent: face-automl\nDisallow: /no\n")
    server.routes["/a"] = (301, {"Location": "/no/b"}, b"")
    assert "robots.txt asks not to" in str(refusal(f"{server.url}/a"))
    assert server.times("/no/b") == 0


def test_a_site_that_cannot_say_its_rules_is_left_alone(server):
    server.routes |= {"/robots.txt": (500, {}, b""), "/a": (200, JPEG, b"x")}
    client = Web("me@example.org", allow_private=True)
    for _ in range(3):
        error = refusal(f"{server.url}/a", client)
        assert "robots.txt: the server answers 500" in str(error) and error.passing
    assert server.times("/a") == 0 and server.times("/robots.txt") == web.TRIES


def test_crawl_delay(server):
    server.routes["/robots.txt"] = (200, {}, b"User-agent: *\nCrawl-delay: 1\n")
    server.routes["/a"] = (200, JPEG, b"x")
    client = Web("me@example.org", allow_private=True)
    fetch(f"{server.url}/a", client)
    start = time.monotonic()
    fetch(f"{server.url}/a", client)
    assert time.monotonic() - start > 0.8


def test_who_asks_to_wait_is_waited_for_by_all(server):
    start, calls = time.monotonic(), []

    def busy_first(handler):
        calls.append(time.monotonic() - start)
        return (429, {"Retry-After": "1"}, b"") if len(calls) == 1 else (200, JPEG, b"x")

    server.routes["/a"] = busy_first
    client = Web("me@example.org", allow_private=True)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(fetch, f"{server.url}/a", client)
        time.sleep(0.4)
        others = [pool.submit(fetch, f"{server.url}/a", client) for _ in range(3)]
        assert {job.result() for job in [first, *others]} == {b"x"}
    assert len(calls) == 5 and min(calls[1:]) > 1


def test_too_long_a_wait_is_not_waited_for(server):
    server.routes["/a"] = (503, {"Retry-After": "86400"}, b"")
    error = refusal(f"{server.url}/a")
    assert "asks to wait 86400 s" in str(error) and error.passing


@pytest.mark.parametrize("after", ["soon", "-5", "Wed, 99 Foo", ""])
def test_nonsense_in_retry_after(server, after):
    server.routes["/a"] = (503, {"Retry-After": after}, b"")
    assert "503" in str(refusal(f"{server.url}/a"))


def test_trouble_that_passes(server):
    answers = iter(
        [(500, {}, b""), (200, JPEG | {"Content-Length": "9"}, b"cut"), (200, JPEG, b"whole")]
    )
    server.routes["/a"] = lambda _: next(answers)
    assert fetch(f"{server.url}/a") == b"whole"


def test_trouble_that_stays_is_given_up_and_so_is_the_host(server):
    server.routes["/a"] = (502, {}, b"")
    client = Web("me@example.org", allow_private=True)
    for _ in range(web.DEAD):
        error = refusal(f"{server.url}/a", client)
        assert "502" in str(error) and error.passing
    assert server.times("/a") == web.DEAD * web.TRIES
    assert "given up" in str(refusal(f"{server.url}/a", client))
    assert server.times("/a") == web.DEAD * web.TRIES


def test_no_server_and_no_such_name(server):
    server.http.shutdown()
    server.http.server_close()
    assert "connection failed" in str(refusal(f"{server.url}/a"))
    assert "no address for" in str(refusal("http://nowhere.invalid/a"))


@pytest.mark.parametrize("status", [403, 404, 410, 204, 206])
def test_a_plain_no_is_not_asked_again(server, status):
    server.routes["/a"] = (status, {}, b"")
    error = refusal(f"{server.url}/a")
    assert str(status) in str(error) and not error.passing
    assert server.times("/a") == 1


def test_redirects_are_followed_so_far_and_no_further(server):
    server.routes |= {f"/{n}": (302, {"Location": f"/{n + 1}"}, b"") for n in range(10)}
    server.routes["/10"] = (200, JPEG, b"x")
    assert fetch(f"{server.url}/5") == b"x"
    assert "more than 5 redirects" in str(refusal(f"{server.url}/4"))
    server.routes["/f"] = (302, {"Location": "file:///etc/passwd"}, b"")
    assert "not a web address" in str(refusal(f"{server.url}/f"))


def test_size_is_limited_whatever_the_header_says(server):
    server.routes["/a"] = (200, JPEG | {"Content-Length": "5000000000"}, b"")
    server.routes["/b"] = (200, JPEG | {"Content-Length": None}, b"x" * 300_000)
    assert "5000 MB; at most" in str(refusal(f"{server.url}/a"))
    assert "more than 0.2 MB" in str(refusal(f"{server.url}/b", max_bytes=200_000))


def test_pages_are_not_pictures(server):
    server.routes["/a.jpg"] = (200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>")
    assert "'text/html' is not a type" in str(refusal(f"{server.url}/a.jpg"))


def test_nothing_is_unpacked(server):
    bomb = gzip.compress(bytes(10_000_000))
    server.routes["/a"] = (200, JPEG | {"Content-Encoding": "gzip"}, bomb)
    assert fetch(f"{server.url}/a") == bomb
    assert server.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_server_that_dribbles_is_cut_off(server, monkeypatch, where):
    monkeypatch.setattr(web, "WHOLE", 0.3)
    monkeypatch.setattr(web, "TRIES", 1)

    def dribble(handler):
        start = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n"
        handler.wfile.write(start + (b"" if where == "headers" else b"\r\n"))
        for _ in range(200):
            handler.wfile.write(b"X: y\r\n" if where == "headers" else b"x")
            time.sleep(0.05)

    server.routes["/a"] = dribble
    start = time.monotonic()
    assert "cut off" in str(refusal(f"{server.url}/a"))
    assert time.monotonic() - start < 3


def test_few_connections_a_host_at_a_time(server):
    def slow(handler):
        time.sleep(0.05)
        return (200, JPEG, b"x")

    server.routes["/a"] = slow
    client = Web("me@example.org", allow_private=True)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: fetch(f"{server.url}/a", client), range(16)))
    assert server.most == web.PER_HOST


@pytest.fixture
def tls(server, tmp_path, monkeypatch):
    """The server speaks TLS with a certificate for `photos.test`, which leads to it, as does
    `other.test`."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "photos.test")])
    start = datetime.now(UTC) - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("photos.test")]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "both.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *a, **o: real(
            host.replace("photos.test", "127.0.0.1").replace("other.test", "127.0.0.1"), *a, **o
        ),
    )
    server.routes["/a"] = (200, JPEG, b"data")
    return pem


def test_the_certificate_must_be_of_the_name_although_an_address_is_connected(
    server, tls, monkeypatch
):
    port = server.http.server_port
    assert "certificate is not valid" in str(refusal(f"https://photos.test:{port}/a"))
    monkeypatch.setattr(web.certifi, "where", lambda: str(tls))
    assert fetch(f"https://photos.test:{port}/a") == b"data"
    assert "certificate is not valid" in str(refusal(f"https://other.test:{port}/a"))


def test_stopping_wakes_who_waits(server):
    server.routes["/a"] = (429, {"Retry-After": "500"}, b"")
    client = Web("me@example.org", allow_private=True)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(refusal, f"{server.url}/a", client)
        threading.Timer(0.3, client.stop).start()
        assert "stopped" in str(job.result(5))
