"""A server on the loopback instead of the network, and small stand-ins instead of weights."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stages.weights.find import Places
from stages.weights.known import CARRIER, Published


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder and the address that serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def carrier(tmp_path, monkeypatch):
    """A function that installs a package of the carrier's name with these files: {name: bytes}."""
    site = tmp_path / "site-packages"

    def install(files):
        models, info = site / CARRIER / "models", site / f"{CARRIER}-1.0.dist-info"
        models.mkdir(parents=True)
        info.mkdir()
        (site / CARRIER / "__init__.py").write_text("raise ImportError('it was imported')")
        for name, content in files.items():
            (models / name).write_bytes(content)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {CARRIER}\nVersion: 1.0\n")
        listed = [path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()]
        (info / "RECORD").write_text("".join(f"{path},,\n" for path in listed))
        monkeypatch.syspath_prepend(site)
        return models

    return install


def places(tmp_path, mirror=None, *, local=None, download=True, timeout=(1, 1)):
    return Places(local, tmp_path / "cache", download, mirror, timeout)


def published(real, content):
    """A stand-in of this content; name, address and kind of hash stay the real ones."""
    kind = real.hash.partition(":")[0]
    return Published(real.file, real.url, f"{kind}:{hashlib.new(kind, content).hexdigest()}")


def local_folder(tmp_path, files):
    """weights.local with these files: {name: bytes}."""
    folder = tmp_path / "local"
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())
