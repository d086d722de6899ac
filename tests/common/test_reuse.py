"""Nothing is computed twice, nothing is out of date, the scratch stays small."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from stages.common.reuse import Made, reuse, reuse_arrays
from stages.records.record import Record


class Note(Record):
    content: str
    made: int
    pid: int


def start(text):
    global _text
    _text = text


def make(source, picture):
    """What is in the file and what the workers got at their start; "no picture" gets none."""
    content = source.read_text()
    if content != "no picture":
        picture.write_text(content + _text)
    return Note(content, time.time_ns(), os.getpid())


@pytest.fixture
def run(tmp_path):
    """A function that runs `reuse` on {name: content}; rows, pictures' texts."""

    def run(files, *, text="!", workers=1):
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        made = reuse(
            make,
            Note,
            [tmp_path / name for name in files],
            tmp_path / "scratch",
            f"version {text}",
            desc="",
            initializer=start,
            initargs=(text,),
            workers=workers,
        )
        pictures = [each.picture and Path(each.picture).read_text() for each in made]
        return [each.row for each in made], pictures

    run.scratch = tmp_path / "scratch"
    return run


FILES = {"a": "one", "b": "two", "c": "no picture"}


def test_second_time_nothing_is_made(run):
    first = run(FILES)
    assert first[1] == ["one!", "two!", None]
    assert run(FILES) == first


def test_only_what_is_new_is_made_whatever_its_name(run):
    first, _ = run(FILES)
    again, pictures = run({"x": "one", "y": "three", "a": "two"})
    assert pictures == ["one!", "three!", "two!"]
    assert (again[0], again[2]) == (first[0], first[1])


def test_other_content_under_an_old_name(run):
    run(FILES)
    rows, pictures = run({"a": "changed"})
    assert rows[0].content == "changed"
    assert pictures == ["changed!"]


def test_going_back_finds_the_old_results(run):
    first = run(FILES)
    run(FILES, text="?")
    assert run(FILES) == first


def test_what_was_painted_over_is_made_again(run, tmp_path):
    run(FILES)
    picture = next(path for path in run.scratch.glob("??/*.png") if path.read_text() == "one!")
    os.link(picture, tmp_path / "output")
    (tmp_path / "output").write_text("ONE!")  # through the hard link, the same length
    assert run(FILES)[1] == ["one!", "two!", None]
    assert (tmp_path / "output").read_text() == "ONE!"


@pytest.mark.parametrize(
    "spoil",
    [
        b"",
        b'{"row"',
        b"\0\0",
        b'{"row": {}, "picture": [4, 5]}',
        b'{"row": {"content": "one", "made": 1, "pid": 1}, "picture": [4, 5]}',
    ],
)
def test_spoilt_entries_are_made_again(run, spoil):
    run(FILES)
    for entry in run.scratch.glob("??/*.json"):
        entry.write_bytes(spoil)
    assert run(FILES)[1] == ["one!", "two!", None]


def test_missing_pictures_are_made_again(run):
    run(FILES)
    for picture in run.scratch.glob("??/*.png"):
        picture.unlink()
    assert run(FILES)[1] == ["one!", "two!", None]


def test_scratch_keeps_one_spare_result_a_source_the_latest(run):
    for number in range(5):
        run(FILES, text=str(number))
        run.scratch.joinpath("zz").mkdir(exist_ok=True)
        (run.scratch / "zz/.killed.1.part").write_text("")
        (run.scratch / "zz/orphan.png").write_text("")
        time.sleep(0.02)
    run(FILES, text="4")
    assert len(list(run.scratch.glob("??/*.json"))) == 6
    texts = {path.read_text() for path in run.scratch.glob("??/*.png")}
    assert texts == {"one3", "two3", "one4", "two4"}
    assert not list(run.scratch.glob("zz/*")) and not list(run.scratch.glob("zz/.*"))


def test_many_go_to_processes_and_few_do_not(run):
    rows, _ = run({f"f{i}": str(i) for i in range(40)}, workers=2)
    assert {row.pid for row in rows} - {os.getpid()}
    rows, _ = run({f"f{i}": str(i) for i in range(42)}, workers=2)
    assert [row.pid for row in rows[40:]] == [os.getpid()] * 2


def numbers(source):
    source.with_suffix(".read").touch(exist_ok=False)
    return np.array([[float(source.read_text()), np.pi]], np.float32)


def test_arrays_come_back_to_the_bit(tmp_path):
    files = [tmp_path / str(i) for i in range(30)]
    for number, path in enumerate(files):
        path.write_text(str(number / 3))

    def now():
        return reuse_arrays(numbers, files, tmp_path / "scratch", "1", desc="", workers=2)[:]

    first = now()
    assert first.dtype == np.float32 and first.shape == (30, 1, 2)
    expected = np.float32([[i / 3, np.pi] for i in range(30)])
    np.testing.assert_array_equal(first[:, 0], expected)
    np.testing.assert_array_equal(now(), first)  # to read a file again would be an error
    files[7].write_text("77")
    (tmp_path / "7.read").unlink()
    assert now()[7, 0, 0] == 77


def test_arrays_are_not_read_before_they_are_asked_for(tmp_path):
    files = [tmp_path / str(i) for i in range(3)]
    for number, path in enumerate(files):
        path.write_text(str(number))
    arrays = reuse_arrays(numbers, files, tmp_path / "scratch", "1", desc="")
    assert arrays[np.array([2, 0, 2])][:, 0, 0].tolist() == [2, 0, 2]
    for entry in (tmp_path / "scratch").glob("??/*.json"):
        entry.unlink()
    assert len(arrays) == 3
    with pytest.raises(FileNotFoundError):
        arrays[np.array([1])]


def test_link_gives_the_same_bytes_without_taking_room(run, tmp_path):
    picture = tmp_path / "p.png"
    picture.write_text("p")
    Made(None, str(picture)).link(tmp_path / "q.png")
    assert (tmp_path / "q.png").stat().st_ino == picture.stat().st_ino


def test_link_copies_where_no_link_can_be(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "p.png").write_text("p")
    Made(None, tmp_path / "p.png").link(tmp_path / "q.png")
    assert Path(tmp_path / "q.png").read_text() == "p"
