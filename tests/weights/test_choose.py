"""Detector and segmenter: good, wrong, missing, refused and slow files of a loopback server."""

import hashlib
import socket
import time

import pytest

from stages.common.errors import UserError
from stages.common.files import sha256
from stages.records.weights import WEIGHTS, Weight, Weights
from stages.weights import choose, known
from tests.conftest import run_script
from tests.weights.conftest import files, local_folder, places, published

YUNET = b"pretend to be YuNet"
SELFIE = b"pretend to be selfie"
U2NETP = b"pretend to be u2netp"


@pytest.fixture(autouse=True)
def pinned(monkeypatch):
    """Pin the hashes of small stand-ins; names and addresses stay the real ones."""
    monkeypatch.setattr(choose, "YUNET", tuple(published(each, YUNET) for each in known.YUNET))
    for name, content in {"selfie": SELFIE, "u2netp": U2NETP, "u2net_human_seg": U2NETP}.items():
        stand_in = published(known.SEGMENTERS[name], content)
        monkeypatch.setitem(choose.SEGMENTERS, name, stand_in)


def resolve(detector, session, where, out, onnx_file=None):
    return Weights(
        detector=choose.detector(detector, where, out),
        segmenter=choose.segmenter(session, where, out, onnx_file),
    )


YUNET_FILE = known.YUNET[0].file
SELFIE_FILE = known.SELFIE.file


def test_good_download_is_kept_and_written_down(tmp_path, served, out):
    folder, url = served
    (folder / YUNET_FILE).write_bytes(YUNET)
    (folder / SELFIE_FILE).write_bytes(SELFIE)
    found = resolve("auto", "auto", places(tmp_path, url), out)
    assert found.detector == Weight(
        name="yunet",
        file=YUNET_FILE,
        sha256=hashlib.sha256(YUNET).hexdigest(),
        source="download",
        note=None,
    )
    assert (out / YUNET_FILE).read_bytes() == YUNET
    assert (found.segmenter.name, found.segmenter.source) == ("selfie", "download")
    assert (out / found.segmenter.file).read_bytes() == SELFIE


def test_second_time_comes_from_the_cache_without_a_network(tmp_path, served, out):
    folder, url = served
    (folder / YUNET_FILE).write_bytes(YUNET)
    resolve("yunet", "none", places(tmp_path, url), out)
    again = places(tmp_path, "http://127.0.0.1:1", download=False)
    assert resolve("yunet", "none", again, out).detector.name == "yunet"


def test_wrong_bytes_are_refused_and_leave_nothing_behind(tmp_path, served, out):
    folder, url = served
    (folder / YUNET_FILE).write_bytes(b"something else")
    with pytest.raises(UserError, match="another sha256"):
        resolve("yunet", "none", places(tmp_path, url), out)
    assert files(out) == []
    assert files(tmp_path / "cache") == []


def test_spoilt_cache_is_not_trusted(tmp_path, out):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / YUNET_FILE).write_bytes(b"cut sh")
    with pytest.raises(UserError, match="weights.download is false"):
        resolve("yunet", "none", places(tmp_path, download=False), out)


def test_missing_on_the_server(tmp_path, served, out):
    with pytest.raises(UserError, match=f"answered 404.*{YUNET_FILE}.*weights.local"):
        resolve("yunet", "none", places(tmp_path, served[1]), out)


def test_auto_falls_back_and_says_why(tmp_path, out, caplog):
    refused = places(tmp_path, "http://127.0.0.1:1")
    found = resolve("auto", "auto", refused, out)
    assert found.detector.name == "haar"
    assert found.detector.source == "opencv wheel"
    assert found.detector.sha256 == sha256(out / found.detector.file)
    assert found.segmenter.name == "grabcut"
    assert f"{SELFIE_FILE} in weights.local" in found.segmenter.note
    assert found.detector.note in caplog.text
    assert found.segmenter.note in caplog.text
    assert files(out) == [known.HAAR]
    WEIGHTS.write(out, found)
    assert WEIGHTS.read(out) == found


@pytest.mark.parametrize(
    ("detector", "session"), [("yunet", "none"), ("haar", "u2netp"), ("haar", "selfie")]
)
def test_explicit_choice_that_cannot_be_had_says_what_to_put_where(
    tmp_path, out, detector, session
):
    with pytest.raises(UserError, match=r"Put (face_detection|u2netp|selfie).*weights\.local"):
        resolve(detector, session, places(tmp_path, "http://127.0.0.1:1"), out)


@pytest.mark.slow
def test_silent_host_is_waited_for_once(tmp_path, out):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        start = time.monotonic()
        found = resolve("auto", "auto", places(tmp_path, url, timeout=(1, 1)), out)
    assert time.monotonic() - start < 2
    assert (found.detector.name, found.segmenter.name) == ("haar", "grabcut")


def test_download_false_never_touches_the_network(tmp_path, served, out):
    folder, url = served
    (folder / YUNET_FILE).write_bytes(YUNET)
    found = resolve("auto", "none", places(tmp_path, url, download=False), out)
    assert found.detector.name == "haar"
    assert "weights.download is false" in found.detector.note


def test_local_folder_comes_first(tmp_path, out):
    local = local_folder(tmp_path, {SELFIE_FILE: SELFIE, YUNET_FILE: YUNET})
    found = resolve("auto", "auto", places(tmp_path, local=local, download=False), out)
    assert found.detector.source == found.segmenter.source == "local folder"
    assert found.segmenter.name == "selfie"
    assert sha256(out / SELFIE_FILE) == found.segmenter.sha256


@pytest.mark.parametrize("edition", range(len(known.YUNET)))
def test_any_edition_of_yunet_will_do(tmp_path, out, served, edition):
    folder, url = served
    file = known.YUNET[edition].file
    (folder / file).write_bytes(YUNET)
    assert resolve("auto", "none", places(tmp_path, url), out).detector.file == file


def test_an_edition_in_the_users_folder_comes_before_a_download(tmp_path, out, served):
    folder, url = served
    (folder / YUNET_FILE).write_bytes(YUNET)
    local = local_folder(tmp_path, {known.YUNET[2].file: YUNET})
    found = resolve("auto", "none", places(tmp_path, url, local=local), out)
    assert found.detector.file == known.YUNET[2].file


def test_other_segmenters_are_taken_only_by_name(tmp_path, out):
    local = local_folder(tmp_path, {"u2netp.onnx": U2NETP, "u2net_human_seg.onnx": U2NETP})
    where = places(tmp_path, local=local, download=False)
    assert resolve("haar", "auto", where, out).segmenter.name == "grabcut"
    assert resolve("haar", "u2net_human_seg", where, out).segmenter.source == "local folder"


def test_local_file_with_another_content_is_named_with_both_hashes(tmp_path, out):
    local = local_folder(tmp_path, {SELFIE_FILE: b"not it"})
    with pytest.raises(UserError) as error:
        resolve("haar", "auto", places(tmp_path, local=local), out)
    for said in (str(local / SELFIE_FILE), b"not it", SELFIE):
        text = said if isinstance(said, str) else hashlib.sha256(said).hexdigest()
        assert text in str(error.value)


def test_local_folder_that_does_not_exist(tmp_path, out):
    with pytest.raises(UserError, match="weights.local: .*nowhere is not a folder"):
        resolve("auto", "none", places(tmp_path, local=tmp_path / "nowhere"), out)


def test_name_that_rembg_does_not_know_lists_the_allowed(tmp_path, out):
    with pytest.raises(UserError, match="'u2nett' is not known.*grabcut.*u2netp") as error:
        resolve("haar", "u2nett", places(tmp_path), out)
    assert "sam" not in str(error.value).split(": ")[-1].split(", ")


def test_asking_for_a_model_of_rembg_compiles_nothing(tmp_path):
    """Else the first who asks waits for most of a minute."""
    code = "from stages.weights.rembg_models import allowed; allowed(); import numba; "
    done = run_script(f"{code}print(numba.config.DISABLE_JIT)", tmp_path)
    assert done.stdout.strip() == "1", done.stderr


def test_other_rembg_model_is_taken_from_the_local_folder(tmp_path, out):
    local = local_folder(tmp_path, {"birefnet-portrait.onnx": b"any bytes"})
    where = places(tmp_path, local=local, download=False)
    found = resolve("haar", "birefnet-portrait", where, out)
    assert found.segmenter.file == "birefnet-portrait.onnx"
    assert (out / "birefnet-portrait.onnx").read_bytes() == b"any bytes"


def test_other_rembg_model_that_cannot_be_had(tmp_path, out):
    with pytest.raises(UserError, match="Put birefnet-portrait.onnx in a folder"):
        resolve("haar", "birefnet-portrait", places(tmp_path, download=False), out)


def test_any_onnx_file_of_the_local_folder(tmp_path, out):
    local = local_folder(tmp_path, {"mine.onnx": b"a network"})
    where = places(tmp_path, local=local, download=False)
    found = resolve("haar", "onnx", where, out, "mine.onnx").segmenter
    assert (found.name, found.file, found.source) == ("onnx", "mine.onnx", "local folder")
    assert found.sha256 == sha256(out / "mine.onnx") == hashlib.sha256(b"a network").hexdigest()


@pytest.mark.parametrize("local", [None, "empty"])
def test_onnx_file_that_is_not_there(tmp_path, out, local):
    where = places(tmp_path, local=local and local_folder(tmp_path, {}))
    with pytest.raises(UserError, match="matte.onnx.file: there is no mine.onnx in weights.local"):
        resolve("haar", "onnx", where, out, "mine.onnx")
