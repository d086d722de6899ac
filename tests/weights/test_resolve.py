"""Weights against a real HTTP server on the loopback: good, wrong, missing, refused, too slow."""

import hashlib
import json
import socket
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stages.common.errors import UserError
from stages.weights import known, resolve
from stages.weights.find import Places, sha256

YUNET = b"pretend to be YuNet"
U2NETP = b"pretend to be u2netp"


@pytest.fixture(autouse=True)
def pinned(monkeypatch):
    """Pin the hashes of small stand-ins; names and addresses stay the real ones."""

    def of(weight, content):
        return known.Weight(weight.file, weight.url, hashlib.sha256(content).hexdigest())

    monkeypatch.setattr(resolve, "YUNET", (of(known.YUNET[0], YUNET), known.YUNET[1]))
    for name in ("u2netp", "u2net_human_seg"):
        stand_in = of(known.SEGMENTERS[name], U2NETP)
        monkeypatch.setitem(resolve.SEGMENTERS, name, stand_in)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder and the address that serves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def places(tmp_path, mirror=None, *, local=None, download=True, timeout=(1, 1)):
    return Places(local, tmp_path / "cache", download, mirror, timeout)


def local_folder(tmp_path, **files):
    folder = tmp_path / "local"
    folder.mkdir()
    for name, content in files.items():
        (folder / f"{name}.onnx").write_bytes(content)
    return folder


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


YUNET_FILE = known.YUNET[0].file
YUNET_STEM = Path(YUNET_FILE).stem


def test_good_download_is_kept_and_written_down(tmp_path, served, out):
    folder, url = served
    (folder / YUNET_FILE).write_bytes(YUNET)
    (folder / "u2netp.onnx").write_bytes(U2NETP)
    found = resolve.resolve("auto", "auto", places(tmp_path, url), out)
    assert found["detector"] == {
        "name": "yunet",
        "file": YUNET_FILE,
        "sha256": hashlib.sha256(YUNET).hexdigest(),
        "from": "download",
        "note": None,
    }
    assert (out / YUNET_FILE).read_bytes() == YUNET
    assert (out / found["segmenter"]["file"]).read_bytes() == U2NETP


def test_second_time_comes_from_the_cache_without_a_network(tmp_path, served, out):
    folder, url = served
    (folder / YUNET_FILE).write_bytes(YUNET)
    resolve.resolve("yunet", "none", places(tmp_path, url), out)
    again = places(tmp_path, "http://127.0.0.1:1", download=False)
    assert resolve.resolve("yunet", "none", again, out)["detector"]["name"] == "yunet"


def test_wrong_bytes_are_refused_and_leave_nothing_behind(tmp_path, served, out):
    folder, url = served
    (folder / YUNET_FILE).write_bytes(b"something else")
    with pytest.raises(UserError, match="another sha256"):
        resolve.resolve("yunet", "none", places(tmp_path, url), out)
    assert files(out) == []
    assert files(tmp_path / "cache") == []


def test_spoilt_cache_is_not_trusted(tmp_path, out):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / YUNET_FILE).write_bytes(b"cut sh")
    with pytest.raises(UserError, match="weights.download is false"):
        resolve.resolve("yunet", "none", places(tmp_path, download=False), out)


def test_missing_on_the_server(tmp_path, served, out):
    with pytest.raises(UserError, match=f"answered 404.*{YUNET_FILE}.*weights.local"):
        resolve.resolve("yunet", "none", places(tmp_path, served[1]), out)


def test_auto_falls_back_and_says_why(tmp_path, out, caplog):
    refused = places(tmp_path, "http://127.0.0.1:1")
    found = resolve.resolve("auto", "auto", refused, out)
    assert found["detector"]["name"] == "haar"
    assert found["detector"]["from"] == "opencv wheel"
    assert len(found["detector"]["sha256"]) == 64
    assert found["segmenter"]["name"] == "grabcut"
    assert "u2netp.onnx in weights.local" in found["segmenter"]["note"]
    assert found["detector"]["note"] in caplog.text
    assert found["segmenter"]["note"] in caplog.text
    assert files(out) == []
    json.dumps(found)


@pytest.mark.parametrize(("detector", "session"), [("yunet", "none"), ("haar", "u2netp")])
def test_explicit_choice_that_cannot_be_had_says_what_to_put_where(
    tmp_path, out, detector, session
):
    with pytest.raises(UserError, match=r"Put (face_detection|u2netp).*weights\.local"):
        resolve.resolve(detector, session, places(tmp_path, "http://127.0.0.1:1"), out)


def test_silent_host_is_waited_for_once(tmp_path, out):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        found = resolve.resolve("auto", "auto", places(tmp_path, url, timeout=(1, 1)), out)
    assert time.monotonic() - start < 2
    assert (found["detector"]["name"], found["segmenter"]["name"]) == ("haar", "grabcut")


def test_download_false_never_touches_the_network(tmp_path, served, out):
    folder, url = served
    (folder / YUNET_FILE).write_bytes(YUNET)
    found = resolve.resolve("auto", "none", places(tmp_path, url, download=False), out)
    assert found["detector"]["name"] == "haar"
    assert "weights.download is false" in found["detector"]["note"]


def test_local_folder_comes_first(tmp_path, out):
    local = local_folder(tmp_path, u2net_human_seg=U2NETP, **{YUNET_STEM: YUNET})
    found = resolve.resolve("auto", "auto", places(tmp_path, local=local, download=False), out)
    assert found["detector"]["from"] == found["segmenter"]["from"] == "local folder"
    assert found["segmenter"]["name"] == "u2net_human_seg"
    assert sha256(out / "u2net_human_seg.onnx") == found["segmenter"]["sha256"]


def test_local_file_with_another_content_is_named_with_both_hashes(tmp_path, out):
    local = local_folder(tmp_path, u2netp=b"not it")
    with pytest.raises(UserError) as error:
        resolve.resolve("haar", "auto", places(tmp_path, local=local), out)
    for said in (str(local / "u2netp.onnx"), b"not it", U2NETP):
        text = said if isinstance(said, str) else hashlib.sha256(said).hexdigest()
        assert text in str(error.value)


def test_local_folder_that_does_not_exist(tmp_path, out):
    with pytest.raises(UserError, match="weights.local: .*nowhere is not a folder"):
        resolve.resolve("auto", "none", places(tmp_path, local=tmp_path / "nowhere"), out)


def test_name_that_rembg_does_not_know_lists_the_allowed(tmp_path, out):
    with pytest.raises(UserError, match="'u2nett' is not known.*grabcut.*u2netp") as error:
        resolve.resolve("haar", "u2nett", places(tmp_path), out)
    assert "sam" not in str(error.value).split(": ")[-1].split(", ")


def test_other_rembg_model_is_taken_from_the_local_folder(tmp_path, out):
    local = local_folder(tmp_path, **{"birefnet-portrait": b"any bytes"})
    where = places(tmp_path, local=local, download=False)
    found = resolve.resolve("haar", "birefnet-portrait", where, out)
    assert found["segmenter"]["file"] == "birefnet-portrait.onnx"
    assert (out / "birefnet-portrait.onnx").read_bytes() == b"any bytes"


def test_other_rembg_model_that_cannot_be_had(tmp_path, out):
    with pytest.raises(UserError, match="Put birefnet-portrait.onnx in a folder"):
        resolve.resolve("haar", "birefnet-portrait", places(tmp_path, download=False), out)


def test_any_onnx_file_of_the_local_folder(tmp_path, out):
    local = local_folder(tmp_path, mine=b"a network")
    where = places(tmp_path, local=local, download=False)
    found = resolve.resolve("haar", "onnx", where, out, "mine.onnx")["segmenter"]
    assert (found["name"], found["file"], found["from"]) == ("onnx", "mine.onnx", "local folder")
    assert found["sha256"] == sha256(out / "mine.onnx") == hashlib.sha256(b"a network").hexdigest()


@pytest.mark.parametrize("local", [None, "empty"])
def test_onnx_file_that_is_not_there(tmp_path, out, local):
    where = places(tmp_path, local=local and local_folder(tmp_path))
    with pytest.raises(UserError, match="matte.onnx.file: there is no mine.onnx in weights.local"):
        resolve.resolve("haar", "onnx", where, out, "mine.onnx")
