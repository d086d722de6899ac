"""The page's server in a thread of the tests: real sockets, and its parts can be watched."""

import http.client
import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn

from app.server.promoted import Promoted
from app.server.site import UVICORN, site
from stages.params.merge import titles
from stages.records.params import App


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Served:
    def __init__(self, port: int, promoted: Promoted) -> None:
        self.port, self.promoted = port, promoted
        self.url = f"http://127.0.0.1:{port}"

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """`headers`: `_` in their names stands for `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body or None, names)
        return reply(connection)

    def get(self, path: str, **headers: str) -> Reply:
        return self.call("GET", path, **headers)

    def form(self, path: str, photo: bytes | None, **fields: str) -> Reply:
        """`photo`: as a browser sends a file of that name."""
        parts = [
            f'--limit\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        if photo is not None:
            head = b'Content-Disposition: form-data; name="photo"; filename="../me.jpg"'
            head += b"\r\nContent-Type: image/jpeg"
            parts.append(b"--limit\r\n" + head + b"\r\n\r\n" + photo + b"\r\n")
        kind = "multipart/form-data; boundary=limit"
        return self.call("POST", path, b"".join(parts) + b"--limit--\r\n", Content_Type=kind)

    def ask(self, photo: bytes, query: str = "") -> Reply:
        return self.call("POST", f"/api/answers{query}", photo, Content_Type="image/jpeg")


def reply(connection: http.client.HTTPConnection) -> Reply:
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Reply(response.status, headers, response.read())


@contextmanager
def serve(root: Path, **settings: Any) -> Iterator[Served]:
    """The page of the project `root`. `settings`: of the section `app` of params.yaml."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        names = titles(root / "params.yaml")
        promoted = Promoted(root, list(names))
        config = uvicorn.Config(site(promoted, App(**settings), names), **UVICORN)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield Served(listener.getsockname()[1], promoted)
        finally:
            server.should_exit = True
            thread.join()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(url: str, server: subprocess.Popen) -> bool:
    """Whether the process `server` answers `url` within two minutes; waits until it does."""
    deadline = time.monotonic() + 120
    while server.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            urllib.request.urlopen(url, timeout=5)
            return True
        time.sleep(0.1)
    return False
