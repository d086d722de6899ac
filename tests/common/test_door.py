import errno
import shutil
import signal
import subprocess
import sys

import pytest

from stages.common.door import door, enter
from stages.common.errors import UserError
from tests.conftest import run_script


def raises(error):
    def main(*_):
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("photos/age: no such folder"), "ERROR: photos/age: no such folder"),
        (OSError(errno.ENOSPC, "No space left on device", "x.npy"), "the disk or a limit is full"),
    ],
)
def test_what_a_user_can_mend_is_a_line_not_a_traceback(error, message):
    with pytest.raises(SystemExit) as exit_:
        enter(raises(error))
    assert message in exit_.value.code


LIMITED = """
import resource, shutil
from pathlib import Path
from stages.common.door import enter
Path("a").mkdir()
Path("a/large").write_bytes(bytes(100_000))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
enter(lambda: shutil.copytree("a", "b"))
"""


def test_a_limit_met_while_a_folder_is_copied_is_a_line(tmp_path):
    done = run_script(LIMITED, tmp_path)
    assert done.returncode == 1
    assert (
        done.stderr.startswith("ERROR: the disk or a limit is full (") and "a/large" in done.stderr
    )
    assert "Traceback" not in done.stderr and done.stderr.count("\n") == 1


def test_a_copy_that_fails_otherwise_keeps_its_traceback():
    with pytest.raises(shutil.Error):
        enter(raises(shutil.Error([("a", "b", "[Errno 13] Permission denied")])))


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


SLOW = """
import sys, time
from stages.common.door import door

def main(task):
    print("importing", flush=True)
    time.sleep(60)

door(main)
"""


def test_ctrl_c_is_a_line_and_the_process_ends_by_the_signal():
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "age"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # In the background, tests run with Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "importing\n"
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == -signal.SIGINT
    assert "Interrupted" in said and "Traceback" not in said


def test_importing_the_stages_leaves_python_s_hook_alone():
    code = "import sys, stages.common.door; assert sys.excepthook is sys.__excepthook__"
    subprocess.run([sys.executable, "-c", code], check=True)
