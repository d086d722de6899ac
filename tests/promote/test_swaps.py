"""The stages' folders after SIGKILL at any step of the swap: the old state, or the new one."""

from pathlib import Path

import pytest

from stages.promote.__main__ import main
from tests.kills import kills
from tests.promote.mini import TASK, write_network

pytestmark = pytest.mark.slow

FRONT = [("collect", "raw"), ("extract", "faces"), ("matte", "mattes"), ("split", "splits")]


@pytest.mark.parametrize(("stage", "folder"), FRONT)
def test_a_front_stage(project, stage, folder):
    assert kills(TASK, stage, folder, 3) == ["old", "old", "new"]


def test_promote_and_rollback(project):
    write_network(0.9, "6", wrong=5)
    main(TASK)
    write_network(1, "3")
    main(TASK)
    assert {each.name for each in Path("data/promote", TASK).iterdir()} >= {"champion", "former"}
    for stage in ("promote", "rollback"):
        first, second, *rest = kills(TASK, stage, "promote")
        assert first == second == "old" and len(rest) > 20
        assert set(rest) == {"new"}
