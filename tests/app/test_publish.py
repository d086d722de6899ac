"""What `make site` puts into the folder, and what it refuses."""

import dataclasses
import hashlib
import io
import json
import tarfile

import msgspec
import numpy as np
import pytest

from app.publish import chains, runtime
from app.publish.publish import find, notice
from app.server.promoted import load
from stages.common.errors import UserError
from stages.extract.crop import Geometry
from stages.networks import sface
from stages.records.export import EXPORT
from stages.records.weights import WEIGHTS
from tests.page import published
from tests.promote.mini import TASK

SCRIPT = "start();binaryDecode('\0asm\\n\\'ÿ\\\\')}end"
FILES = {runtime.SCRIPT: SCRIPT.encode(), runtime.LICENCE: b"Apache"}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is pinned, and its folder."""
    path = tmp_path / "weights" / runtime.PACKAGE.file
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as package:
        for name, content in FILES.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            package.addfile(about, io.BytesIO(content))
    pinned = runtime.PACKAGE._replace(sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(runtime, "PACKAGE", pinned)
    return path


def test_the_runtimes_program_is_taken_out_of_its_script(package, tmp_path):
    found = runtime.load(package.parent, tmp_path / "cache", download=False)
    assert found.script == "start();binaryDecode('')}end"
    assert found.program == b"\0asm\n'\xff\\"
    assert found.licence == "Apache"


def test_another_runtime_than_the_pinned_one_is_refused(package, tmp_path):
    package.write_bytes(package.read_bytes() + b"!")
    with pytest.raises(UserError, match=r"its sha256 is not .*remove it"):
        runtime.load(None, package.parent, download=True)


@pytest.mark.parametrize("download, why", [(False, "download is false"), (True, "no npm")])
def test_without_the_runtime_the_remedy_is_named(tmp_path, monkeypatch, download, why):
    if download:
        monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UserError, match=f"{why}.*weights.local; `npm pack"):
        runtime.load(tmp_path, tmp_path / "cache", download=download)


@pytest.fixture
def exported(copy):
    published.export(copy / "data/promote" / TASK, copy / "data/export" / TASK)
    return copy


def sources(root):
    return find([load(root / "data/promote" / TASK)], root)


def made(root):
    models = chains.Models()
    return [
        chains.task(each.network, each.chain, each.exported, each.card, models)
        for each in sources(root)
    ]


@pytest.mark.slow
def test_a_publisher_is_told_about_licences_first(exported):
    lines = notice(sources(exported))
    assert "24 not stated" in lines[0]
    assert "demo" in lines[0]
    assert any("face_detection_yunet: MIT" in line for line in lines)


@pytest.mark.slow
def test_a_network_that_is_not_exported_or_has_changed_since_is_refused(exported):
    folder = exported / "data/export" / TASK
    card = EXPORT.read(folder)
    EXPORT.write(folder, msgspec.structs.replace(card, network="0" * 64))
    with pytest.raises(UserError, match="of another network"):
        made(exported)
    EXPORT.path(folder).unlink()
    with pytest.raises(UserError, match="dvc repro"):
        sources(exported)


@pytest.mark.slow
@pytest.mark.parametrize("what, name", [("detector", "haar"), ("segmenter", "u2net")])
def test_a_chain_that_no_browser_runs_is_refused(exported, what, name, monkeypatch):
    [source] = sources(exported)
    path = WEIGHTS.path(source.chain / "weights")
    content = json.loads(path.read_text())
    content[what]["name"] = name
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=f"no browser runs the {what} {name}"):
        chains.task(*source, chains.Models())


@pytest.mark.slow
@pytest.mark.parametrize("size, crop, width", [(128, 256, 0.5), (64, 256, 0.4), (300, 128, 0.55)])
def test_a_face_network_sees_its_window_alone(exported, size, crop, width):
    """`make site` leaves out patches elsewhere: covering them changes no answer."""
    card = EXPORT.read(exported / "data/export" / TASK)
    eyes = Geometry(crop, width).places()
    picture = dataclasses.replace(card.picture, size=size)
    seen = chains.window(msgspec.structs.replace(card, picture=picture, crop=eyes))
    pixels = np.random.default_rng(1).uniform(1, 255, (2, size, size, 3)).astype(np.float32)
    alone = np.zeros_like(pixels)
    inside = np.s_[:, seen.top : seen.bottom + 1, seen.left : seen.right + 1]
    alone[inside] = pixels[inside]
    less = alone.copy()
    less[:, seen.bottom] = 0
    for turned in (1, -1):
        before, after, wrong = (
            np.array(sface.window(each[:, :, ::turned], eyes)) for each in (pixels, alone, less)
        )
        np.testing.assert_array_equal(before, after)
        assert (before != wrong).any()
