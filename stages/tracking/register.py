"""python -m stages.tracking.register

Makes MLflow hold what the files say, for every task: each promoted network with the search that
found it, its whole chain as a version of the model `face-<task>`, the aliases `champion` and
`challenger`, when each version was champion, what was exported, and the baselines. It runs in every
`dvc repro`. A local store is opened only if it, or anything that it is filled from, has changed.
"""

import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.closure import ROOT
from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.files import alone
from stages.records.folders import Folders, of_all_tasks
from stages.records.promotion import ROLES
from stages.tracking.store import ARTIFACTS, DATABASE, connect, is_local

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)
FILLED_FROM = ("promote", "baseline", "export")  # stages
DONE = ARTIFACTS.parent / "registered"  # the state that MLflow's local store was last filled from


def main() -> None:
    with alone(ARTIFACTS):  # two at once would make each version twice
        if not (is_local() and DATABASE.is_file() and _done() == _state()):
            register()
            if is_local():
                DONE.write_text(_state())
    log.info("MLflow holds what data/promote says; `make ui` shows it")


def _done() -> str:
    return DONE.read_text() if DONE.is_file() else ""


def _state() -> str:
    """Changes with every file that `register` reads, the code, MLflow's database, and its place."""
    outputs = [folder for stage in FILLED_FROM for folder in of_all_tasks(stage)]
    folders = [*outputs, ROOT / "app", ROOT / "stages"]
    files = sorted(file for folder in folders for file in folder.rglob("*") if file.is_file())
    found = hashlib.sha256(f"{ARTIFACTS.resolve()}\n".encode())
    for file in [Path("params.yaml"), DATABASE, *files]:
        if "__pycache__" not in file.parts:
            status = file.stat()
            found.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode())
    return found.hexdigest()


def register() -> None:
    from stages.params.merge import load
    from stages.tracking.baselines import ensure_baselines
    from stages.tracking.cards import ensure_card
    from stages.tracking.exports import ensure_export
    from stages.tracking.models import ensure_registered, ensure_reigns

    client = connect()
    check_answers(client)
    for task in load().tasks:
        at = Folders(task)
        if not at.promote.is_dir():
            continue  # `dvc repro search@age` and the like build only some of the tasks
        for role in ROLES:
            ensure_registered(client, task, role, at.promote / role)
            ensure_card(client, task, role, at.promote)
        ensure_reigns(client, task, at.promote)
        ensure_export(client, task, at.export)
        if at.baseline.is_dir():
            ensure_baselines(client, task, at.baseline)


def check_answers(client: "MlflowClient") -> None:
    """Raises `UserError` where the store or server cannot be reached."""
    from mlflow.exceptions import MlflowException

    try:
        client.search_experiments(max_results=1)
    except MlflowException as error:
        raise UserError(
            f"MLflow does not answer ({str(error).splitlines()[0][:200]}). Nothing is lost: start "
            "it, or correct MLFLOW_TRACKING_URI, and run `dvc repro` again"
        ) from error


if __name__ == "__main__":
    enter(main)
