import errno

import pytest

from stages.common.door import door, enter
from stages.common.errors import UserError


def raises(error):
    def main(*_):
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("photos/age: no such folder"), "ERROR: photos/age: no such folder"),
        (OSError(errno.ENOSPC, "No space left on device", "x.npy"), "the disk is full"),
    ],
)
def test_what_a_user_can_mend_is_a_line_not_a_traceback(error, message):
    with pytest.raises(SystemExit) as exit_:
        enter(raises(error))
    assert message in exit_.value.code


def test_a_bug_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        enter(raises(ZeroDivisionError()))
    with pytest.raises(FileNotFoundError):
        enter(raises(FileNotFoundError(errno.ENOENT, "gone")))


def test_the_task_comes_from_the_command_line(monkeypatch):
    heard = []
    monkeypatch.setattr("sys.argv", ["stage", "age"])
    door(heard.append)
    assert heard == ["age"]
