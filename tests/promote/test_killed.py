"""The stages' folders after SIGKILL at any step of the swap: the old state, or the new one."""

import subprocess
import sys
from pathlib import Path

import pytest

from stages.promote.__main__ import main
from tests.promote.mini import REPO, TASK, write_network

KILLED = """
import importlib, logging, sys
from pathlib import Path
from stages.common.files import new_folder
from tests.kills import killed_everywhere, run, state

class Stop(Exception):
    pass

def next_start():
    try:
        with new_folder(out):
            raise Stop
    except Stop:
        pass

def prepared():
    if stage == "rollback":
        from stages.promote.rollback import put_back

        return lambda: put_back(out)
    module = importlib.import_module(f"stages.{stage}.__main__")
    if stage == "promote":
        from stages.promote import promote
        import shutil
        # Its networks cannot be run in a forked process; what it writes comes from the last run.
        whole = Path("whole").absolute()
        shutil.copytree(out, whole)
        module.import_keras = lambda: None
        decision = promote.PROMOTION.read(whole)
        promote.promote = lambda at, params, part: (
            shutil.copytree(whole, part, dirs_exist_ok=True) and decision)
    return lambda: module.main(task)

task, stage, folder, most = sys.argv[1:]
logging.disable()
out = Path("data", folder, task)
action = prepared()
marker = next(path for path in out.rglob("*") if path.is_file()).with_name("of-the-old-one")
new = state(out)
marker.touch()
old, seen = state(out), []
for number in killed_everywhere(action, out, int(most)):
    next_start()
    found = state(out)
    # A rollback writes the time, so that its new state is not known before.
    assert found == old or str(marker) not in found, number
    assert found in (old, new) or stage == "rollback", number
    assert not [path for path in out.parent.iterdir() if path.name.endswith((".part", ".old"))]
    seen.append("old" if found == old else "new")
print(" ".join(seen))
"""


def killed(stage, folder, most):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, TASK, stage, folder, str(most)],
        env={"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


FRONT = [("collect", "raw"), ("extract", "faces"), ("matte", "mattes"), ("split", "splits")]


@pytest.mark.parametrize(("stage", "folder"), FRONT)
def test_a_front_stage(project, stage, folder):
    assert killed(stage, folder, 3) == ["old", "old", "new"]


def test_promote_and_rollback(project):
    write_network(0.9, "6", wrong=5)
    main(TASK)
    write_network(1, "3")
    main(TASK)
    assert {each.name for each in Path("data/promote", TASK).iterdir()} >= {"champion", "former"}
    for stage in ("promote", "rollback"):
        first, second, *rest = killed(stage, "promote", 1000)
        assert first == second == "old" and len(rest) > 20
        assert set(rest) == {"new"}
