"""What must never be in git: photographs, other data, weights."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from stages.common.images import write_png

REPO = Path(__file__).resolve().parents[1]
# Pictures of this project's page and report, which show drawn faces. A new one is named here.
OURS = {
    "docs/page.webp",
    "docs/report.png",
    *(
        f"docs/page/{name}.webp"
        for name in (
            *("answers-dark", "answers-light", "start-dark", "start-light"),
            *("desk-en-dark", "desk-ja-dark", "desk-ko-light", "explanation-and-share"),
        )
    ),
}
BEGINNINGS = {  # of files that may hold photographs or weights, whatever their names say
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"RIFF": "WebP",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"PK\x03\x04": "a zip file, .keras or .npz",
    b"\x1f\x8b": "gzip",
    b"\x93NUMPY": "NumPy",
    b"\x89HDF": "HDF5",
    b"PAR1": "Parquet",
}
LARGEST = 1_000_000  # bytes


def git(*arguments, cwd):
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


def refused(root):
    """Each file in the index of the repository `root` that does not belong there, and why."""
    found = {}
    for name in git("ls-files", "-z", cwd=root):
        path = root / name
        if name in OURS or not path.is_file():
            continue
        data = path.read_bytes()
        kinds = [kind for start, kind in BEGINNINGS.items() if data.startswith(start)]
        if data[4:8] == b"ftyp":
            kinds.append("HEIC or AVIF")
        if b"data:image/" + b"jpeg;base64" in data or b"data:image/" + b"png;base64" in data:
            kinds.append("a picture within text")
        if len(data) > LARGEST:
            kinds.append(f"{len(data)} bytes")
        if kinds:
            found[name] = ", ".join(kinds)
    return found


def test_no_photograph_and_no_weights_are_in_git():
    assert refused(REPO) == {}


@pytest.fixture
def checkout(tmp_path):
    """A repository with nothing but our .gitignore in it."""
    git("init", "-q", cwd=tmp_path)
    shutil.copy(REPO / ".gitignore", tmp_path)
    return tmp_path


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, np.full((8, 8, 3), 127, np.uint8))
    return path


def test_a_photograph_is_told_by_what_is_in_it(checkout):
    picture(checkout / "tests/thumbs.txt")
    (checkout / "docs").mkdir()
    (checkout / "docs/a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    (checkout / "docs/a.svg").write_bytes(b'<image href="data:image/' + b'jpeg;base64,AA=="/>')
    np.savez(checkout / "docs/a", np.zeros(3))
    (checkout / "docs/a.md").write_text("text")
    git("add", "-A", cwd=checkout)
    assert set(refused(checkout)) == {"tests/thumbs.txt", "docs/a.heic", "docs/a.svg", "docs/a.npz"}


@pytest.mark.parametrize(
    "folder",
    ["photos/age/minor", "photos/age/wild/minor", "data/raw/age/images", ".downloads/age/x"]
    + [".cache/faces/age", ".search/age/0/result", "mlruns/1/artifacts"],
)
def test_adding_everything_adds_no_photograph(checkout, folder):
    picture(checkout / folder / "anna__1.png")
    git("add", "-A", cwd=checkout)
    assert git("ls-files", "-z", cwd=checkout) == [".gitignore"]


def test_a_link_to_photographs_is_not_added_either(checkout, tmp_path_factory):
    elsewhere = picture(tmp_path_factory.mktemp("own") / "age/minor/anna.png").parents[2]
    os.symlink(elsewhere, checkout / "photos")
    git("add", "-A", cwd=checkout)
    assert git("ls-files", "-z", cwd=checkout) == [".gitignore"]


def test_tests_that_share_a_fixture_share_a_process(request):
    """pytest-xdist 3.8 writes the group behind the name; pytest 9.2 no longer lets it."""
    if hasattr(request.config, "workerinput"):
        assert request.node.nodeid.endswith(f"@{request.node.path}")
