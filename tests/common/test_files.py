import os
import subprocess
import sys

import pytest

from stages.common.files import new_file, new_folder
from tests.conftest import REPO, run_script


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_file_appears_whole(tmp_path):
    with new_file(tmp_path / "deep" / "a.csv") as part:
        part.write_text("half")
        assert names(tmp_path / "deep") == [part.name] != ["a.csv"]
        part.write_text("whole")
    assert names(tmp_path / "deep") == ["a.csv"]
    assert (tmp_path / "deep/a.csv").read_text() == "whole"


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_the_old_file_and_no_rubbish(tmp_path, stop):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(stop), new_file(tmp_path / "a.csv") as part:
        part.write_text("half")
        raise stop
    assert names(tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_text() == "old"


def test_folder_replaces_the_old_one_whole(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/stale").touch()
    with new_folder(tmp_path / "out") as part:
        (part / "fresh").touch()
        assert names(tmp_path / "out") == ["stale"]
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["fresh"]


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_failure_leaves_the_old_folder_and_no_rubbish(tmp_path, stop):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()
    with pytest.raises(stop), new_folder(tmp_path / "out") as part:
        (part / "half").touch()
        raise stop
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old"]


def test_ctrl_c_at_any_line_of_the_start_leaves_no_rubbish(tmp_path):
    """From the moment on that the new folder exists, until the block has it."""
    out, part = tmp_path / "out", tmp_path / ".out.part"
    code = new_folder.__wrapped__.__code__
    stops = []

    def interrupt(frame, event, _):
        if frame.f_code is code and event == "line" and part.exists() and not stops:
            stops.append(frame.f_lineno)
            raise KeyboardInterrupt
        return interrupt

    def start():
        with new_folder(out):
            pass

    before = sys.gettrace()
    sys.settrace(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            start()
    finally:
        sys.settrace(before)
    assert stops
    assert names(tmp_path) == []


def test_folder_starts_empty_after_a_killed_run(tmp_path):
    with new_folder(tmp_path / "out") as part:
        killed = part
    killed.mkdir()
    (killed / "left").touch()
    with new_folder(tmp_path / "out") as part:
        assert names(part) == []


SWAP = """
from pathlib import Path
from stages.common.files import new_file, new_folder
from tests.kills import killed_everywhere, start_again, state

def swap():
    with new_folder(out) as part:
        for name in ("x", "y", "deep/z"):
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_text("new")

root = Path("parent")
out = root / "out"
(out / "deep").mkdir(parents=True)
for name in ("a", "b", "deep/c"):
    (out / name).write_text("old")
old, ends = state(out), []
for number in killed_everywhere(swap, out):
    start_again(out)
    ends.append(state(out) == old)
    if not ends[-1]:
        assert sorted(state(out)) == [f"parent/out/{n}" for n in ("deep/z", "x", "y")], number
    assert [path.name for path in root.iterdir()] == ["out"], number

table = root / "table.csv"
table.write_text("old")
def write():
    with new_file(table) as part:
        part.write_text("new")
for number in killed_everywhere(write, table):
    assert table.read_text() in ("old", "new"), number
print(ends)
"""


def test_killed_at_any_step_of_a_swap_the_folder_is_the_old_or_the_new_one(tmp_path):
    done = run_script(SWAP, tmp_path)
    assert done.returncode == 0, done.stderr
    # Two renames, then the old one's three files and two folders.
    assert done.stdout.strip() == str([True, True, *5 * [False]])


@pytest.mark.parametrize("stop", [RuntimeError, KeyboardInterrupt])
def test_stopped_between_the_renames_the_old_folder_comes_back(tmp_path, stop, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/old").touch()
    rename = os.rename

    def stopped(source, target):
        if target == tmp_path / "out" and source.name.endswith(".part"):
            raise stop
        rename(source, target)

    monkeypatch.setattr(os, "rename", stopped)
    with pytest.raises(stop), new_folder(tmp_path / "out") as part:
        (part / "half").touch()
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == ["old"]


HOLD = """
import sys, time
from pathlib import Path
from stages.common.files import alone
with alone(Path("thing")):
    log = open("log", "a", buffering=1)
    log.write("in ")
    print(flush=True)
    time.sleep(float(sys.argv[1]))
    log.write("out ")
"""


def test_what_must_be_alone_waits_for_the_other_and_not_for_a_killed_one(tmp_path):
    def start(seconds):
        command = [sys.executable, "-c", HOLD, str(seconds)]
        environment = {"PYTHONPATH": str(REPO)}
        return subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)

    killed = start(60)
    killed.stdout.readline()
    killed.kill()
    killed.wait()
    (tmp_path / "log").unlink()
    both = [start(0.3), start(0.3)]
    assert [each.wait(30) for each in both] == [0, 0]
    assert (tmp_path / "log").read_text() == "in out in out "
