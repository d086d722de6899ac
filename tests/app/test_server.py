"""python -m app.server, as `make app` starts it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from tests.app.serving import answers, free_port
from tests.network_guard import guarded, lookups
from tests.params_yaml import read_params
from tests.promote.mini import REPO, TASK

pytestmark = pytest.mark.slow


def start(root: Path, **app: object) -> subprocess.Popen:
    params = read_params(root) | {"app": app}
    text = yaml.safe_dump(params, allow_unicode=True, sort_keys=False)
    (root / "params.yaml").write_text(text, "utf-8")
    return subprocess.Popen(
        [sys.executable, "-m", "app.server"],
        cwd=root,
        env=guarded(
            os.environ | {"PYTHONPATH": str(REPO), "PYTHONDONTWRITEBYTECODE": "1"},
            root.parent / "network",
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def port() -> int:
    return free_port()


def wait(port: int, server: subprocess.Popen) -> None:
    if not answers(f"http://127.0.0.1:{port}/healthz", server):
        server.kill()
        raise AssertionError(server.communicate()[0])


def files(folder: Path) -> dict:
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_it_serves_without_a_word_about_visitors_and_writes_nothing(copy, port):
    server = start(copy, host="0.0.0.0", port=port)
    before = files(copy)
    wait(port, server)
    for query in ("?name=anna", "anna"):
        request = urllib.request.Request(f"http://127.0.0.1:{port}/api/answers{query}", b"anna")
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(request, timeout=30)
    server.send_signal(signal.SIGINT)
    said = server.communicate(timeout=60)[0]
    assert f"http://0.0.0.0:{port}" in said
    assert "other machines can use this page, without a password" in said
    assert "anna" not in said and "Traceback" not in said and "/api" not in said
    assert files(copy) == before
    assert lookups(copy.parent / "network") == []


def test_what_is_wrong_is_said_in_a_line(copy, port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        server = start(copy, port=port)
        assert f"app.port {port}: Address already in use; name" in server.communicate(timeout=60)[0]
        assert server.returncode == 1
    shutil.rmtree(copy / "data/promote" / TASK)
    server = start(copy, port=port)
    said = server.communicate(timeout=60)[0]
    assert server.returncode == 1
    assert "no network in data/promote" in said and "Traceback" not in said
    server = start(copy, ports=1)
    assert "app.ports: unknown key" in server.communicate(timeout=60)[0]
