import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stages.collect.candidate import check
from stages.collect.forgotten import person_hash
from stages.collect.urls import candidates
from stages.common.errors import UserError
from stages.records.forgotten import FORGOTTEN
from stages.records.manifest import Rejected
from stages.records.sources import Urls
from tests.params_yaml import complete, write_params
from tests.text_table import read_table

ROOT = Path(__file__).parents[2]
SOURCE = Urls(source="urls", file="list.csv", contact="me@example.org", allow_private=True)
JPEG = {"Content-Type": "image/jpeg"}


@pytest.fixture
def ask(server, context, jpeg, tmp_path):
    """The candidates of a list: rows of (path on the server, label, other columns ...)."""
    server.routes |= {f"/{n}.jpg": (200, JPEG, jpeg(n)) for n in range(8)}

    def ask(*rows, columns="url,label", forgotten=()):
        known = context(*forgotten)
        lines = [",".join([server.url + row[0], *row[1:]]) for row in rows]
        text = "\n".join([columns, *lines])
        (known.root / "list.csv").write_text(text + "\n", encoding="utf-8")
        return candidates(SOURCE, known)

    return ask


def opened(found, tmp_path):
    (tmp_path / "out/images").mkdir(parents=True, exist_ok=True)
    checked = [check(candidate, tmp_path / "out") for candidate in found]
    return [each.photo or each.row() for each in checked]


def reason(row):
    """Why a photo was refused; "" if it was not."""
    return row.reason if isinstance(row, Rejected) else ""


def test_a_list_becomes_photos_with_what_it_says_of_them(ask, server, jpeg, tmp_path):
    sha256 = hashlib.sha256(jpeg(0)).hexdigest()
    [first, second] = opened(
        ask(
            ("/0.jpg", "cool", "anna", "CC BY 4.0", "A. Author", sha256.upper()),
            ("/1.jpg", "warm", "", "", "", ""),
            columns="url,label,person,licence,author,sha256",
        ),
        tmp_path,
    )
    assert first.sha256 == sha256 and first.name == first.page == server.url + "/0.jpg"
    said = (first.label, first.person, first.licence, first.author, first.source)
    assert said == ("cool", "anna", "CC BY 4.0", "A. Author", "urls")
    assert second.licence == "not stated" and second.id


def test_every_row_is_accounted_for(ask, server, tmp_path):
    server.routes["/page"] = (200, {"Content-Type": "text/html"}, b"<html>")
    server.routes["/liar.jpg"] = (200, JPEG, b"<html>")
    server.routes["/2.jpg"] = (200, JPEG, server.routes["/2.jpg"][2][:150])
    names = ["/0.jpg", "/gone.jpg", "/page", "/liar.jpg", "/2.jpg"]
    rows = opened(ask(*((name, "cool") for name in names), ("/0.jpg", "cool")), tmp_path)
    assert [row.name.rpartition("/")[2] for row in rows] == [n[1:] for n in [*names, "/0.jpg"]]
    said = ["", "answers 404", "'text/html'", "not a jpg, png or webp", "cut short", "listed twice"]
    assert all(word in reason(row) for word, row in zip(said, rows, strict=True))
    assert [reason(row) == "" for row in rows] == [True] + 5 * [False]


def test_a_picture_that_was_exchanged_is_refused(ask, tmp_path):
    columns = "url,label,sha256"
    [row] = opened(ask(("/0.jpg", "cool", "0" * 64), columns=columns), tmp_path)
    assert row.reason == "its sha256 is not the one of the list"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("url\n", "needed: url, label"),
        ("url,label,age,age\n", "each needs a name of its own"),
        ("url,label\nhttp://a/b,cold\n", "line 2: label 'cold' is no class"),
        ("url,label\nhttp://a/b\n", "line 2: has not as many values"),
        ("url,label\nhttp://a/b,cool,x\n", "line 2: has not as many values"),
        ("url,label,sha256\nhttp://a/b,cool,12\n", "line 2: sha256 '12'"),
        ('url,label\n"http://a/b,cool\n', "cannot read"),
        ("", "the columns are none"),
    ],
)
def test_a_wrong_list_is_named_with_its_line(context, text, said):
    known = context()
    (known.root / "list.csv").write_text(text)
    with pytest.raises(UserError, match="list.csv") as error:
        candidates(SOURCE, known)
    assert said in str(error.value)


@pytest.mark.parametrize("file", ["nowhere.csv", "../forgotten.csv", "/etc/passwd"])
def test_a_list_outside_of_what_dvc_watches_is_refused(context, file):
    with pytest.raises(UserError, match="sources.0.file: no file"):
        candidates(SOURCE.model_copy(update={"file": Path(file)}), context())


def test_a_half_done_list_goes_on(ask, server, tmp_path):
    rows = [(f"/{n}.jpg", "cool") for n in range(4)]
    server.routes["/3.jpg"], late = (404, {}, b""), server.routes["/3.jpg"]
    first = opened(ask(*rows), tmp_path)
    assert [bool(reason(row)) for row in first] == [False, False, False, True]
    server.routes["/3.jpg"] = late
    # One is damaged, one has lost its sum: neither counts as got.
    done = sorted((tmp_path / "downloads").glob("*.sha256"))
    assert len(done) == 3
    done[0].with_suffix("").write_bytes(b"damaged")
    done[1].unlink()
    before = len(server.asked)
    again = opened(ask(*rows), tmp_path)
    assert all(not reason(row) for row in again) and again[:3] == first[:3]
    fetched = [path for path in server.asked[before:] if path != "/robots.txt"]
    assert len(fetched) == 3 and "/3.jpg" in fetched


def test_what_comes_from_a_list_cannot_break_the_tables(ask, tmp_path):
    columns = "url,label,person,author"
    row = ("/0.jpg", "cool", "an\x00na\x1b[31m", '"two\nlines, ""quoted"""')
    [row] = opened(ask(row, columns=columns), tmp_path)
    assert row.person == "an na [31m" and row.author == 'two lines, "quoted"'


def test_private_addresses_are_refused_by_default(ask, context):
    found = ask(("/0.jpg", "cool"))
    assert found[0].reason == ""
    source = SOURCE.model_copy(update={"allow_private": False})
    known = context()
    for path in known.downloads.iterdir():
        path.unlink()
    assert "private address" in candidates(source, known)[0].reason


def test_a_site_that_is_too_slow_for_the_parameter_is_left_out(ask, server):
    server.routes["/robots.txt"] = (200, {}, b"User-agent: *\nCrawl-delay: 600\n")
    found = ask(("/0.jpg", "cool"), ("/1.jpg", "cool"))
    assert {each.reason for each in found} == {
        "robots.txt asks for 600 s between two requests; max_crawl_delay allows 30 s"
    }


def test_forgotten_photos_are_neither_requested_nor_kept(ask, server, jpeg, tmp_path):
    sha256 = hashlib.sha256(jpeg(1)).hexdigest()
    tombstones = [("", "person", person_hash("Anna"), ""), ("tone", "sha256", sha256, "")]
    rows = [("/0.jpg", "cool", "anna"), ("/1.jpg", "cool", ""), ("/2.jpg", "cool", "bella")]
    for _ in range(2):
        found = ask(*rows, columns="url,label,person", forgotten=tombstones)
        assert [c.reason for c in found][1:] == ["forgotten on request", ""]
    assert (server.times("/0.jpg"), server.times("/1.jpg"), server.times("/2.jpg")) == (0, 1, 1)
    assert len([p for p in (tmp_path / "downloads").iterdir() if p.suffix != ".sha256"]) == 1


@pytest.mark.slow
def test_a_stage_killed_while_it_downloads_gives_the_same_in_the_end(server, jpeg, tmp_path):
    def slow(seed):
        def answer(handler):
            time.sleep(0.02)
            return (200, JPEG, jpeg(seed))

        return answer

    server.routes |= {f"/{n}.jpg": slow(n) for n in range(40)}
    content = complete()
    source = SOURCE.model_dump(mode="json")
    content["tasks"]["tone"]["collect"] = {"path": "photos", "sources": [source]}

    def project(name):
        folder = tmp_path / name
        (folder / "photos").mkdir(parents=True)
        lines = [f"{server.url}/{n}.jpg,{'cool' if n % 2 else 'warm'}" for n in range(40)]
        (folder / "photos/list.csv").write_text("\n".join(["url,label", *lines]))
        write_params(content, folder)
        FORGOTTEN.write(folder, [])
        return folder

    def start(folder):
        return subprocess.Popen(
            [sys.executable, "-m", "stages.collect", "tone"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stderr=subprocess.DEVNULL,
        )

    def outputs(folder):
        files = sorted(p for p in (folder / "data/raw/tone").rglob("*") if p.is_file())
        return {p.relative_to(folder): p.read_bytes() for p in files}

    whole, killed = project("whole"), project("killed")
    assert start(whole).wait(60) == 0
    asked = len(server.asked)
    rng = random.Random(0)
    for _ in range(3):
        before = len(server.asked)
        process = start(killed)
        wanted = before + rng.randint(3, 12)
        while len(server.asked) < wanted and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
        assert not (killed / "data/raw/tone").exists()
    assert start(killed).wait(60) == 0
    assert outputs(killed) == outputs(whole) and len(outputs(whole)) == 42
    assert len(server.asked) - asked < 40 + 3 * (1 + 4) + 4  # nearly nothing was asked for twice
    assert len(read_table(whole / "data/raw/tone/manifest.csv")) == 40
