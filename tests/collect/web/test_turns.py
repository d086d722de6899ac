"""Turns, pauses and back-off."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stages.collect.web import Web, turns
from stages.collect.web.turns import DEAD, PER_HOST, TRIES

JPEG = {"Content-Type": "image/jpeg"}


@pytest.mark.slow
def test_retry_after_pauses_all_threads(server, fetch):
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


def test_too_long_a_pause_is_refused(server, refusal):
    server.routes["/a"] = (503, {"Retry-After": "86400"}, b"")
    error = refusal(f"{server.url}/a")
    assert "asks to wait 86400 s" in str(error) and error.passing


@pytest.mark.parametrize("after", ["soon", "-5", "Wed, 99 Foo", ""])
def test_nonsense_in_retry_after(server, after, refusal):
    server.routes["/a"] = (503, {"Retry-After": after}, b"")
    assert "503" in str(refusal(f"{server.url}/a"))


def test_after_failed_downloads_the_host_is_given_up(server, refusal):
    server.routes["/a"] = (502, {}, b"")
    client = Web("me@example.org", allow_private=True)
    for _ in range(DEAD):
        error = refusal(f"{server.url}/a", client)
        assert "502" in str(error) and error.passing
    assert server.times("/a") == DEAD * TRIES
    assert "given up" in str(refusal(f"{server.url}/a", client))
    assert server.times("/a") == DEAD * TRIES


def test_each_further_try_waits_twice_as_long():
    for tries, times in ((1, 1), (2, 2), (3, 4)):
        host = turns.Host(threading.Event())
        host.failed(turns.Busy("503", host), tries)
        assert host._reserve() == pytest.approx(times * turns.BACKOFF, abs=turns.BACKOFF / 4)


@pytest.mark.slow
def test_one_success_and_the_failures_before_count_no_more(server, fetch, refusal):
    server.routes |= {"/bad": (502, {}, b""), "/good": (200, JPEG, b"x")}
    client = Web("me@example.org", allow_private=True)
    for _ in range(2):
        for _ in range(DEAD - 1):
            assert "502" in str(refusal(f"{server.url}/bad", client))
        assert fetch(f"{server.url}/good", client) == b"x"


def test_few_connections_a_host_at_a_time(server, fetch):
    def slow(handler):
        time.sleep(0.05)
        return (200, JPEG, b"x")

    server.routes["/a"] = slow
    client = Web("me@example.org", allow_private=True)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: fetch(f"{server.url}/a", client), range(16)))
    assert server.most == PER_HOST


def test_stop_ends_every_pause(server, refusal):
    server.routes["/a"] = (429, {"Retry-After": "500"}, b"")
    client = Web("me@example.org", allow_private=True)
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(refusal, f"{server.url}/a", client)
        threading.Timer(0.3, client.stop).start()
        assert "stopped" in str(job.result(5))
