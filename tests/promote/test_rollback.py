"""`python -m stages.promote.rollback`, with the real DVC."""

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stages.common.errors import UserError
from stages.promote.__main__ import main
from stages.promote.rollback import check_former
from stages.records.promotion import HISTORY, JUDGED, PROMOTION
from tests.promote.mini import REPO, TASK, write_network

FOLDER = Path("data/promote", TASK)
DVC_YAML = f"""
stages:
  promote:
    foreach: [{TASK}]
    do:
      cmd: python -m stages.promote ${{item}}
      deps: ["data/search/${{item}}"]
      outs:
        - "data/promote/${{item}}": {{persist: true}}
        - "reports/${{item}}/model_card.md": {{cache: false}}
"""


def run(*command):
    environment = os.environ | {"PYTHONPATH": str(REPO), "DVC_NO_ANALYTICS": "1"}
    command = [sys.executable, "-m", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return done.returncode, done.stdout + done.stderr


def network(role):
    return (FOLDER / role / "model.keras").read_bytes()


def history():
    return [(each.event, each.network) for each in HISTORY.read(FOLDER)]


@pytest.mark.slow
def test_a_rollback_lasts(project):
    write_network(0.9, "6", wrong=5)
    main(TASK)
    good = network("champion")
    with pytest.raises(UserError, match="no champion to put back"):
        check_former(FOLDER)

    Path("dvc.yaml").write_text(DVC_YAML)
    run("dvc", "init", "--no-scm", "-q")
    write_network(1, "3")
    main(TASK)
    bad = network("champion")
    assert run("dvc", "commit", "-f", f"promote@{TASK}")[0] == 0

    # Of two at once, one puts the former champion back, and the other finds none any more.
    with ThreadPoolExecutor(2) as pool:
        both = sorted(pool.map(lambda _: run("stages.promote.rollback", TASK), range(2)))
    assert [code for code, _ in both] == [0, 1], both
    assert "no champion to put back" in both[1][1] and "Traceback" not in both[1][1]
    assert (network("champion"), network("challenger")) == (good, bad)
    assert not (FOLDER / "former").exists()
    first, second = history()[0][1], history()[1][1]
    assert history()[2:] == [("rollback", second), ("champion", first)]
    [judged] = JUDGED.read(FOLDER).values()  # what was judged stays judged
    assert [each.network[:12] for each in judged] == [first, second]
    assert "No longer champion" in (FOLDER / "challenger/model_card.md").read_text("utf-8")
    card = (FOLDER / "champion/model_card.md").read_bytes()
    assert Path(f"reports/{TASK}/model_card.md").read_bytes() == card
    assert "didn't change" in run("dvc", "repro")[1]  # it is not undone
    assert network("champion") == good
    query = """select alias, value from registered_model_aliases a join model_version_tags t
               on a.name = t.name and a.version = t.version where t.key = ?"""
    with sqlite3.connect("mlruns/mlflow.db") as store:
        networks = dict(store.execute(query, ("sha256",)))
        assert networks["champion"].startswith(first)
        assert networks["challenger"].startswith(second)
        until = dict(store.execute(query, ("champion_until",)))
        assert set(until) == {"challenger"}

    main(TASK)  # the network that was rolled back does not return, though it would win
    assert (network("champion"), network("challenger")) == (good, bad)
    failed = [each.gate for each in PROMOTION.read(FOLDER).gates if not each.passed]
    assert failed == ["not rolled back"]

    # If the stage is out of date, a rollback does not hide that from DVC.
    write_network(0.9, "5")
    main(TASK)
    assert network("former") == good
    code, said = run("stages.promote.rollback", TASK)
    assert code == 0 and "out of date" in said
    assert network("champion") == good
    assert f"data/search/{TASK}" in run("dvc", "status", f"promote@{TASK}")[1]
