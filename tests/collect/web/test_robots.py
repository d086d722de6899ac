"""What a site's robots.txt allows."""

import time

import pytest

from stages.collect.web import Web
from stages.collect.web.robots import ROBOTS_BYTES
from stages.collect.web.turns import TRIES

JPEG = {"Content-Type": "image/jpeg"}


def test_robots_txt_is_obeyed_and_read_once(server, fetch, refusal):
    rules = b"User-agent: *\nDisallow: /private/\nCrawl-delay: 0.0\n"
    server.routes["/robots.txt"] = (200, {}, rules)
    server.routes |= {"/private/a": (200, JPEG, b"x"), "/b": (200, JPEG, b"x")}
    client = Web("me@example.org", allow_private=True)
    assert "robots.txt asks not to" in str(refusal(f"{server.url}/private/a", client))
    assert fetch(f"{server.url}/b", client) == b"x"
    assert server.times("/robots.txt") == 1 and server.times("/private/a") == 0


def test_a_redirect_obeys_the_robots_txt_of_its_target(server, refusal):
    server.routes["/robots.txt"] = (200, {}, b"User-agent: face-automl\nDisallow: /no\n")
    server.routes["/a"] = (301, {"Location": "/no/b"}, b"")
    assert "robots.txt asks not to" in str(refusal(f"{server.url}/a"))
    assert server.times("/no/b") == 0


def test_robots_txt_is_retried_before_a_site_is_refused(server, refusal):
    server.routes |= {"/robots.txt": (500, {}, b""), "/a": (200, JPEG, b"x")}
    client = Web("me@example.org", allow_private=True)
    for _ in range(3):
        error = refusal(f"{server.url}/a", client)
        assert "robots.txt: the server answers 500" in str(error) and error.passing
    assert server.times("/a") == 0 and server.times("/robots.txt") == TRIES


@pytest.mark.slow
def test_crawl_delay(server, fetch):
    server.routes["/robots.txt"] = (200, {}, b"User-agent: *\nCrawl-delay: 1\n")
    server.routes["/a"] = (200, JPEG, b"x")
    client = Web("me@example.org", allow_private=True)
    fetch(f"{server.url}/a", client)
    start = time.monotonic()
    fetch(f"{server.url}/a", client)
    assert time.monotonic() - start > 0.8


def test_a_crawl_delay_is_said_with_what_it_means(server, fetch, caplog):
    server.routes["/robots.txt"] = (200, {}, b"User-agent: *\nCrawl-delay: 36\n")
    server.routes["/a"] = (200, JPEG, b"x")
    assert fetch(f"{server.url}/a") == b"x"
    said = f"{server.url} asks for 36 s between two requests: 1,000 files take 10.0 hours"
    assert caplog.messages == [said]


@pytest.mark.parametrize("delay", ["30.5", "600", "604800", "9" * 30])
def test_a_longer_crawl_delay_than_allowed_leaves_the_site_out(server, refusal, delay):
    server.routes["/robots.txt"] = (200, {}, f"User-agent: *\nCrawl-delay: {delay}\n".encode())
    server.routes["/a"] = (200, JPEG, b"x")
    client = Web("me@example.org", allow_private=True, max_crawl_delay=30)
    for _ in range(2):
        assert "max_crawl_delay allows 30 s" in str(refusal(f"{server.url}/a", client))
    assert server.asked == ["/robots.txt"]


@pytest.mark.parametrize(
    ("rules", "path", "allowed"),
    [
        # The longest rule decides, not the first one.
        ("Disallow: /\nAllow: /open/", "/open/a", True),
        ("Allow: /\nDisallow: /closed/", "/closed/a", False),
        ("Disallow: /a/\nAllow: /a/b\nDisallow: /a/b/c", "/a/b/c", False),
        # Of two rules of one length, Allow decides.
        ("Disallow: /a\nAllow: /a", "/a", True),
        # Wildcards.
        ("Disallow: /*.jpg$", "/b.jpg", False),
        ("Disallow: /*.jpg$", "/b.jpg?width=9", True),
        ("Disallow: /*/private/", "/me/private/b.jpg", False),
        ("Disallow: /a*b", "/aXXb/c", False),
        ("Disallow: /a$", "/ab", True),
        ("Disallow: /*?download", "/b.jpg?download=1", False),
        # Letter case counts in addresses; percent-encoding does not.
        ("Disallow: /Private", "/private", True),
        ("Disallow: /%7Eanna", "/~anna", False),
        # No value, no rule.
        ("Disallow:", "/a", True),
    ],
)
def test_rules_are_read_as_rfc_9309_says(server, fetch, refusal, rules, path, allowed):
    server.routes["/robots.txt"] = (200, {}, f"User-agent: *\n{rules}\n".encode())
    server.routes[path.partition("?")[0]] = (200, JPEG, b"x")
    if allowed:
        assert fetch(server.url + path) == b"x"
    else:
        assert "robots.txt asks not to" in str(refusal(server.url + path))


def test_all_groups_of_our_name_count_and_those_of_others_do_not(server, fetch, refusal):
    rules = "User-agent: other\nUser-agent: FACE-automl\nDisallow: /a\n\n"
    rules += "User-agent: *\nDisallow: /b\n\nUser-agent: face-automl # again\nDisallow: /c\n"
    server.routes["/robots.txt"] = (200, {}, b"\xef\xbb\xbf" + rules.encode())
    server.routes |= {f"/{name}": (200, JPEG, b"x") for name in "abc"}
    client = Web("me@example.org", allow_private=True)
    assert fetch(f"{server.url}/b", client) == b"x"
    for name in "ac":
        assert "robots.txt asks not to" in str(refusal(f"{server.url}/{name}", client))


@pytest.mark.parametrize("length", [{}, {"Content-Length": None}])
def test_of_a_long_robots_txt_the_first_500_kib_count(server, fetch, refusal, length):
    rules = b"User-agent: *\nDisallow: /a\n"
    rules += b"#" * (ROBOTS_BYTES - len(rules) - 1) + b"\nDisallow: /b\n"
    server.routes["/robots.txt"] = (200, length, rules)
    server.routes |= {"/a": (200, JPEG, b"x"), "/b": (200, JPEG, b"x")}
    assert "robots.txt asks not to" in str(refusal(f"{server.url}/a"))
    assert fetch(f"{server.url}/b") == b"x"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 451])
def test_a_site_without_robots_txt_allows_all(server, fetch, status):
    server.routes |= {"/robots.txt": (status, {}, b"Disallow: /"), "/a": (200, JPEG, b"x")}
    assert fetch(f"{server.url}/a") == b"x"


@pytest.mark.parametrize("status", [429, 500, 501, 503, 599])
def test_a_site_whose_robots_txt_cannot_be_had_allows_nothing(server, refusal, status):
    server.routes |= {"/robots.txt": (status, {}, b""), "/a": (200, JPEG, b"x")}
    assert f"robots.txt: the server answers {status}" in str(refusal(f"{server.url}/a"))
    assert server.times("/a") == 0


def test_a_robots_txt_that_breaks_off_allows_nothing(server, refusal):
    server.routes["/robots.txt"] = (200, {"Content-Length": "99"}, b"User-agent: *\n")
    server.routes["/a"] = (200, JPEG, b"x")
    assert "robots.txt: the connection failed" in str(refusal(f"{server.url}/a"))
    assert server.times("/a") == 0


def test_robots_txt_may_be_redirected(server, refusal):
    server.routes["/robots.txt"] = (301, {"Location": "/rules"}, b"")
    server.routes["/rules"] = (200, {}, b"User-agent: *\nDisallow: /a\n")
    assert "robots.txt asks not to" in str(refusal(f"{server.url}/a"))
