"""python -m stages.promote.rollback age: the former champion takes its place back.

The network that goes is the challenger then, unless there is one; `promote` does not make it
champion again.
`dvc repro` leaves it at that: dvc.lock is told. MLflow's aliases follow.
"""

import argparse
import json
import logging
import shutil
import subprocess
import sys
from pathlib import Path

from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.files import new_folder, read_json, write_json
from stages.promote.chain_folder import show_card
from stages.promote.history import event, read_history
from stages.promote.promote import sha256
from stages.records.params import read

log = logging.getLogger(__name__)
CHAMPION = "**Champion:** "  # how a champion's model card begins, see templates/model_card.md


def main(task: str) -> None:
    from stages.promote import register

    read(task)
    stage = f"promote@{task}"
    check_former(Path("data/promote", task))
    up_to_date = not json.loads(_dvc("status", "--json", stage))
    put_back(Path("data/promote", task))
    show_card(task)
    if up_to_date:
        _dvc("commit", "-f", stage)
    else:  # to commit would tell DVC that the stage has seen what has changed since
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

    A challenger that is there already stays, with what was decided about it.
    """
    out_of, back = folder / "champion", folder / "former"
    reason = f"rolled back by hand to {sha256(back)[:12]}"
    promotion = read_json(folder / "promotion.json")
    challenger = folder / "challenger"
    if challenger.is_dir():
        promotion["reason"] += "; the champion that it was judged against has been rolled back"
    else:
        challenger = out_of
        promotion |= {"decision": "challenger", "reason": reason}
    with new_folder(folder) as out:
        shutil.copytree(back, out / "champion")
        shutil.copytree(challenger, out / "challenger")
        card = out / "challenger/model_card.md"
        gone = card.read_text("utf-8").replace(CHAMPION, f"**No longer champion:** {reason}. ")
        card.write_text(gone, "utf-8")
        shutil.copy(folder / "leaderboard.csv", out)
        write_json(out / "promotion.json", promotion)
        events = [("rollback", out_of, reason), ("champion", back, "put back by a rollback")]
        new = [
            event(kind, sha256(role), read_json(role / "trials.json"), why)
            for kind, role, why in events
        ]
        write_json(out / "history.json", [*read_history(folder), *new])


def _dvc(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise UserError(f"`dvc {' '.join(arguments)}` failed: {said}")
    return done.stdout


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.promote.rollback", description=__doc__)
    parser.add_argument("task", help="a task of params.yaml")
    enter(lambda: main(parser.parse_args().task))
