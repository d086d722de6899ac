"""Model cards and leaderboards in MLflow: with the searches that found the networks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from stages.common.files import digest
from stages.records.chain import CARD
from stages.records.promotion import LEADERBOARD, Role
from stages.records.trials import TRIALS
from stages.tracking.searches import find_search

if TYPE_CHECKING:
    from mlflow import MlflowClient


def ensure_card(client: "MlflowClient", task: str, role: Role, folder: Path) -> None:
    """Let the search behind `role` in `folder` (data/promote/<task>) hold the role's model card and
    the task's leaderboard, as a file and as a table. The search is in MLflow already."""
    if not (folder / role).is_dir():
        return
    run = find_search(client, task, TRIALS.read(folder / role).search_id)
    assert run is not None
    files = [folder / role / CARD, LEADERBOARD.path(folder)]
    if run.data.tags.get(f"{role}_card") == digest(files):
        return
    for file in files:
        client.log_artifact(run.info.run_id, str(file), role)
    table = LEADERBOARD.frame(folder).to_json(orient="split", index=False)
    client.log_dict(run.info.run_id, json.loads(table), "systems.json")
    shown = [{"path": each, "type": "table"} for each in ("leaderboard.json", "systems.json")]
    client.set_tag(run.info.run_id, "mlflow.loggedArtifacts", json.dumps(shown))
    client.set_tag(run.info.run_id, f"{role}_card", digest(files))
