"""One download: redirects, retries, limits, certificates."""

import gzip
import socket
import ssl
import time

import pytest

from stages.collect.web import fetch as fetching
from stages.collect.web import turns

JPEG = {"Content-Type": "image/jpeg"}


def test_requests_name_their_sender(server, fetch):
    server.routes["/a"] = (200, JPEG, b"data")
    assert fetch(f"{server.url}/a?b=c#d") == b"data"
    assert server.asked == ["/robots.txt", "/a?b=c"]
    assert "face-automl" in server.headers["User-Agent"]
    assert "me@example.org" in server.headers["User-Agent"]
    assert server.headers["Accept-Encoding"] == "identity"  # else gigabytes may be unpacked


def test_a_failure_that_passes_is_retried(server, fetch):
    answers = iter(
        [(500, {}, b""), (200, JPEG | {"Content-Length": "99"}, b"cut off"), (200, JPEG, b"whole")]
    )
    server.routes["/a"] = lambda _: next(answers)
    assert fetch(f"{server.url}/a") == b"whole"


def test_no_server_and_no_such_name(server, refusal):
    server.http.shutdown()
    server.http.server_close()
    assert "connection failed" in str(refusal(f"{server.url}/a"))
    assert "no address for" in str(refusal("http://nowhere.invalid/a"))


@pytest.mark.parametrize("status", [403, 404, 410, 204, 206])
def test_other_statuses_are_not_retried(server, status, refusal):
    server.routes["/a"] = (status, {}, b"")
    error = refusal(f"{server.url}/a")
    assert str(status) in str(error) and not error.passing
    assert server.times("/a") == 1


def test_redirects_are_followed_so_far_and_no_further(server, fetch, refusal):
    server.routes |= {f"/{n}": (302, {"Location": f"/{n + 1}"}, b"") for n in range(10)}
    server.routes["/10"] = (200, JPEG, b"x")
    assert fetch(f"{server.url}/5") == b"x"
    assert "more than 5 redirects" in str(refusal(f"{server.url}/4"))
    server.routes["/f"] = (302, {"Location": "file:///etc/passwd"}, b"")
    assert "not a web address" in str(refusal(f"{server.url}/f"))


def test_size_is_limited_whatever_the_header_says(server, refusal):
    server.routes["/a"] = (200, JPEG | {"Content-Length": "5000000000"}, b"")
    server.routes["/b"] = (200, JPEG | {"Content-Length": None}, b"x" * 300_000)
    assert "5000 MB; at most" in str(refusal(f"{server.url}/a"))
    assert "more than 0.2 MB" in str(refusal(f"{server.url}/b", max_bytes=200_000))


@pytest.mark.parametrize("size", [b"-1", b"-400", b"ffffffff"])
def test_no_chunk_size_lifts_the_limit(server, refusal, size):
    sent = []

    def endless(handler):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
        handler.wfile.write(head + size + b"\r\n")
        for _ in range(50):
            handler.wfile.write(bytes(1_000_000))
            sent.append(1)

    server.routes["/a"] = endless
    assert "more than 0.2 MB" in str(refusal(f"{server.url}/a", max_bytes=200_000))
    assert len(sent) < 20  # MB: what fits into the sockets' buffers


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n"
LONG = 50_000 * b"x"


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\nA: " + LONG + b"\r\n\r\n"),
        (HEAD, b"1;" + LONG + b"\r\nx\r\n"),
        (HEAD + b"1\r\nx\r\n0\r\n", b"A: " + LONG + b"\r\n"),
    ],
    ids=["answers that announce another", "chunk extensions", "trailers"],
)
def test_what_is_no_body_is_counted_too(server, refusal, first, again):
    sent = []

    def endless(handler):
        handler.wfile.write(first)
        for _ in range(1000):
            handler.wfile.write(again)
            sent.append(len(again))

    server.routes["/a"] = endless
    assert "sends more than" in str(refusal(f"{server.url}/a", max_bytes=200_000))
    assert server.times("/a") == 1 and sum(sent) < 20_000_000  # what fits into the sockets' buffers


def test_a_chunked_answer_is_read_whole_or_refused(server, fetch, refusal):
    chunks = b"3\r\nabc\r\n5;x=y\r\ndefgh\r\n"
    head = JPEG | {"Content-Length": None, "Transfer-Encoding": "chunked"}
    server.routes["/whole"] = (200, head, chunks + b"0\r\n\r\n")
    server.routes["/cut"] = (200, head, chunks)
    server.routes["/cut-in-a-chunk"] = (200, head, chunks + b"9\r\nabc")
    assert fetch(f"{server.url}/whole") == b"abcdefgh"
    assert "connection failed" in str(refusal(f"{server.url}/cut"))
    assert "connection failed" in str(refusal(f"{server.url}/cut-in-a-chunk"))


def test_pages_are_not_pictures(server, refusal):
    server.routes["/a.jpg"] = (200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>")
    assert "'text/html' is not a type" in str(refusal(f"{server.url}/a.jpg"))


def test_compressed_answers_are_not_decompressed(server, fetch):
    bomb = gzip.compress(bytes(10_000_000))
    server.routes["/a"] = (200, JPEG | {"Content-Encoding": "gzip"}, bomb)
    assert fetch(f"{server.url}/a") == bomb
    assert server.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_slow_answer_is_cut_off(server, monkeypatch, where, refusal):
    monkeypatch.setattr(fetching, "WHOLE", 0.3)
    monkeypatch.setattr(turns, "TRIES", 1)

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


def test_the_certificate_is_checked_against_the_name_not_the_ip_address(
    server, tls, monkeypatch, fetch, refusal
):
    port = server.http.server_port
    assert "certificate is not valid" in str(refusal(f"https://photos.test:{port}/a"))
    monkeypatch.setattr(fetching.certifi, "where", lambda: str(tls))
    assert fetch(f"https://photos.test:{port}/a") == b"data"
    assert "certificate is not valid" in str(refusal(f"https://other.test:{port}/a"))
