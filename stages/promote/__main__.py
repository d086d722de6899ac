"""python -m stages.promote age

`data/promote/<task>/champion` is a whole model folder that outlives searches: DVC versions it, so
a clone that pulls it has the champion even when the last search lost against it.
"""

import logging
import shutil
from dataclasses import asdict
from pathlib import Path

from stages.common.backend import import_keras
from stages.common.door import door
from stages.common.files import new_folder
from stages.common.params import load
from stages.common.shards import Shards
from stages.common.tables import read_table, write_table

log = logging.getLogger(__name__)


def main(task: str) -> None:
    params = load().task(task)
    import_keras()
    from stages.promote.promote import judge, seen_in_training, sha256, write_json

    splits = read_table(Path(f"data/splits/{task}/splits.csv"))
    before = Path(f"data/promote/{task}/champion")
    with new_folder(Path(f"data/promote/{task}")) as out:
        candidate = out / "candidate"
        shutil.copytree(f"data/search/{task}", candidate)
        shutil.copy(f"reports/{task}/metrics.json", candidate)
        write_table(candidate / "seen.csv", seen_in_training(splits))
        champion = before if before.is_dir() else None
        if champion and sha256(champion) == sha256(candidate):
            shutil.copy(before.parent / "promotion.json", out)
            candidate.rename(out / "champion")
            log.info("this network is the champion already")
            return
        test = Shards(Path(f"data/shards/{task}/test"))
        decision = judge(params.promote.margin, candidate, champion, test, splits)
        candidate.rename(out / decision.decision)
        if decision.decision == "challenger":
            shutil.copytree(before, out / "champion")
        write_json(out / "promotion.json", asdict(decision))
    log.info("%s: %s", decision.decision, decision.reason)


if __name__ == "__main__":
    door(main)
