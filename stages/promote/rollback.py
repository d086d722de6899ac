"""python -m stages.promote.rollback age: the former champion takes its place back.

The network that loses the place becomes the challenger, unless there is one; `promote` does not
make it champion again. `dvc repro` keeps the result, because dvc.lock is updated. MLflow's aliases
follow.
"""

import argparse
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

from msgspec.structs import replace

from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.files import alone, new_folder, sha256
from stages.promote.chain_folder import show_card
from stages.promote.history import event
from stages.records.chain import CARD
from stages.records.folders import Folders
from stages.records.params import read
from stages.records.promotion import (
    HISTORY,
    JUDGED,
    LEADERBOARD,
    PROMOTION,
    read_history,
    read_judged,
)
from stages.records.trials import MODEL, TRIALS

log = logging.getLogger(__name__)
CHAMPION = "**Champion:** "  # how a champion's model card begins, see templates/model_card.md


def main(task: str) -> None:
    from stages.tracking import register

    read(task)  # refuses an unknown task
    at, stage = Folders(task), f"promote@{task}"
    up_to_date = not json.loads(_dvc("status", "--json", stage))
    put_back(at.promote)
    show_card(at)
    if up_to_date:
        _dvc("commit", "-f", stage)
    else:  # a commit would hide from DVC what else has changed
        log.info("%s is out of date: the next `dvc repro` will judge against this champion", stage)
    register.main()
    log.info(
        "%s: the former champion is back; run `dvc repro` for the report, commit dvc.lock", task
    )


def check_former(folder: Path) -> None:
    """Raises `UserError` unless `data/promote/<task>` has a champion and a former one."""
    for role in ("champion", "former"):
        if not (folder / role).is_dir():
            raise UserError(f"{folder / role} is not there: no champion to put back")


def put_back(folder: Path) -> None:
    """In `data/promote/<task>`: former becomes champion, and champion becomes challenger.

    A challenger that is there already stays, with the decision about it. What the test parts have
    judged stays judged. Raises `UserError` if there is no champion, or no former one.
    """
    with alone(folder), new_folder(folder) as out:
        check_former(folder)
        out_of, back, challenger = (folder / name for name in ("champion", "former", "challenger"))
        reason = f"rolled back by hand to {sha256(back / MODEL)[:12]}"
        decision = PROMOTION.read(folder)
        if challenger.is_dir():
            why = f"{decision.reason}; the champion that it was judged against has been rolled back"
            decision = replace(decision, reason=why)
        else:
            challenger = out_of
            decision = replace(decision, decision="challenger", reason=reason)
        gone, came = sha256(out_of / MODEL), sha256(back / MODEL)
        history = [
            *read_history(folder),
            event("rollback", gone, TRIALS.read(out_of), reason),
            event("champion", came, TRIALS.read(back), "put back by a rollback"),
        ]
        shutil.copytree(back, out / "champion")
        shutil.copytree(challenger, out / "challenger")
        card = out / "challenger" / CARD
        text = card.read_text("utf-8").replace(CHAMPION, f"**No longer champion:** {reason}. ")
        card.write_text(text, "utf-8")
        shutil.copy(LEADERBOARD.path(folder), out)
        PROMOTION.write(out, decision)
        HISTORY.write(out, history)
        JUDGED.write(out, read_judged(folder))


def _dvc(*arguments: str) -> str:
    """What `dvc` prints. Raises `UserError` if it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        why = (done.stderr or done.stdout).strip()
        raise UserError(f"`dvc {' '.join(arguments)}` failed: {why}")
    return done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.promote.rollback", description=__doc__)
    parser.add_argument("task", help="a task of params.yaml")
    enter(lambda: main(parser.parse_args().task))
