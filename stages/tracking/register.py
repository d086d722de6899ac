"""python -m stages.tracking.register

Makes MLflow hold what the files say, for every task: each promoted network with the search that
found it, its whole chain as a version of the model `face-<task>`, the aliases `champion` and
`challenger`, when each version was champion, and the baselines. It runs after every `dvc repro`,
and takes seconds where nothing is missing.
"""

import logging
from typing import TYPE_CHECKING

from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.files import alone
from stages.params.merge import load
from stages.records.folders import Folders
from stages.records.promotion import ROLES
from stages.tracking.baselines import ensure_baselines
from stages.tracking.cards import ensure_card
from stages.tracking.models import ensure_registered, ensure_reigns
from stages.tracking.store import ARTIFACTS, connect

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)


def main() -> None:
    with alone(ARTIFACTS):  # two at once would make each version twice
        register()


def register() -> None:
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
        if at.baseline.is_dir():
            ensure_baselines(client, task, at.baseline)
    log.info("MLflow holds what data/promote says; `make ui` shows it")


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
