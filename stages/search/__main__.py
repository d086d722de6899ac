"""python -m stages.search age"""

import json
import logging
from pathlib import Path
from typing import Any

from stages.common import tracking
from stages.common.backend import import_keras
from stages.common.door import door
from stages.common.files import new_folder
from stages.common.params import load
from stages.common.shards import Shards

log = logging.getLogger(__name__)


class MlflowListener:
    """Logs a search's trials as nested runs while they train."""

    def __init__(self, client: Any, parent: str) -> None:
        self.client, self.parent = client, parent

    def trial_begins(self, trial: dict[str, Any]) -> None:
        self.run = tracking.start_trial(self.client, self.parent, trial)

    def epoch_ends(self, trial: dict[str, Any], epoch: dict[str, float]) -> None:
        tracking.log_epoch(self.client, self.run, epoch)

    def trial_ends(self, trial: dict[str, Any]) -> None:
        tracking.end_trial(self.client, self.run, trial)


def main(task: str) -> None:
    params = load().task(task)
    train_dir, val_dir = Path(f"data/shards/{task}/train"), Path(f"data/shards/{task}/val")
    train, val = Shards(train_dir), Shards(val_dir)

    import_keras()
    from stages.search.search import fingerprint, search

    search_id = fingerprint(params.search, train_dir, val_dir)
    scratch = Path(f".search/{task}/{search_id}")
    log.info("search %s: %d training and %d validation pictures", search_id, len(train), len(val))
    client = tracking.connect()
    search_params = params.search.model_dump(mode="json")
    tags = {"git_commit": tracking.git_commit()}
    parent = tracking.start_search(client, task, search_id, search_params, tags)
    tracking.close_interrupted(client, parent)
    try:
        result = search(
            params.search, train, val, len(params.classes), scratch, MlflowListener(client, parent)
        )
    except BaseException as error:
        tracking.close_interrupted(client, parent)
        interrupted = isinstance(error, KeyboardInterrupt)
        client.set_terminated(parent, "KILLED" if interrupted else "FAILED")
        raise
    client.set_terminated(parent, "FINISHED")
    with new_folder(Path(f"data/search/{task}")) as out:
        result.model.save(out / "model.keras")
        content = {
            "search_id": search_id,
            "objective": params.search.objective,
            "best": result.best,
            "params": search_params,
            "trials": result.trials,
        }
        (out / "trials.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        classes = json.dumps(params.classes, ensure_ascii=False, indent=1)
        (out / "classes.json").write_text(classes, encoding="utf-8")
    best = next(t for t in result.trials if t["trial"] == result.best)
    log.info("best: trial %d, %s %.4f", best["trial"] + 1, params.search.objective, best["score"])


if __name__ == "__main__":
    door(main)
