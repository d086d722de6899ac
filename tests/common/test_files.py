import pytest

from stages.common.files import new_file, new_folder


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


def test_folder_starts_empty_after_a_killed_run(tmp_path):
    with new_folder(tmp_path / "out") as part:
        killed = part
    killed.mkdir()
    (killed / "left").touch()
    with new_folder(tmp_path / "out") as part:
        assert names(part) == []
