"""Pictures, tombstones, and a web server on loopback whose answers a test sets."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from stages.collect.candidate import Context
from stages.collect.forgotten import Forgotten
from stages.collect.web import turns
from stages.records.forgotten import FORGOTTEN, Tombstone


class Server:
    """A server at `url`.

    `routes`: path -> (status, headers, body), or a function of the handler that returns these, or
    None if it has answered itself. `asked`: the requested paths, in order. `headers`: those of the
    last request. `most`: the largest number of requests at one time.
    """

    def __init__(self):
        self.routes, self.asked, self.headers, self.now, self.most = {}, [], {}, 0, 0
        lock = threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                path = self.path.partition("?")[0]
                with lock:
                    owner.asked.append(self.path)
                    owner.headers = dict(self.headers)
                    owner.now += path != "/robots.txt"
                    owner.most = max(owner.most, owner.now)
                try:
                    answer = owner.routes.get(path, (404, {}, b""))
                    answer = answer(self) if callable(answer) else answer
                finally:
                    with lock:  # before the answer, after which the client sends the next request
                        owner.now -= path != "/robots.txt"
                if answer:
                    self.answer(*answer)

            do_HEAD = do_GET

            def answer(self, status, headers, body):
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    if value is not None:
                        self.send_header(name, value)
                self.send_header("Connection", "close")  # which also makes the handler close it
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        owner = self
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.handle_error = lambda *_: None  # clients hang up on purpose
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def times(self, path):
        return sum(asked.partition("?")[0] == path for asked in self.asked)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(turns, "BACKOFF", 0.01)
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def jpeg():
    """seed -> the bytes of a small picture."""

    def jpeg(seed):
        noise = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
        return cv2.imencode(".jpg", cv2.resize(noise, (40, 30)))[1].tobytes()

    return jpeg


@pytest.fixture
def tombstones(tmp_path):
    """Rows of forgotten.csv -> `Forgotten`."""

    def tombstones(*rows):
        FORGOTTEN.write(tmp_path, [Tombstone(*row) for row in rows])
        return Forgotten(tmp_path, "tone")

    return tombstones


@pytest.fixture
def context(tmp_path, tombstones):
    """The context of a task with the classes cool and warm, whose collect.path is `photos`."""

    def context(*rows):
        (tmp_path / "photos").mkdir(exist_ok=True)
        return Context(
            root=tmp_path / "photos",
            classes=["cool", "warm"],
            key="tasks.tone.collect.sources.0",
            downloads=tmp_path / "downloads",
            forgotten=tombstones(*rows),
        )

    return context
