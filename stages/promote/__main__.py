"""python -m stages.promote age

`data/promote/<task>/champion` is a whole chain that outlives searches: DVC versions it, so a clone
that pulls it has the champion even when the last search lost against it.
"""

import logging
import shutil
from dataclasses import asdict
from pathlib import Path

from stages.common.backend import import_keras
from stages.common.door import door
from stages.common.files import new_folder, read_json, write_json
from stages.common.tables import read_table, write_table
from stages.records.params import read

log = logging.getLogger(__name__)


def main(task: str) -> None:
    params = read(task)
    import_keras()
    from stages.promote.answers import seen_in_training
    from stages.promote.chain_folder import build, keep_others, show_card
    from stages.promote.exams import examine
    from stages.promote.history import added, event, read_history
    from stages.promote.model_card import model_card
    from stages.promote.promote import sha256

    before = Path("data/promote", task)
    history = read_history(before)
    splits = read_table(Path("data/splits", task, "splits.csv"))
    champion = before / "champion"
    if not (champion / "chain.json").is_file():
        if champion.is_dir():
            log.warning("%s is of an older version, not a whole chain: it is let go", champion)
        champion = None
    with new_folder(before) as out:
        candidate = out / "candidate"
        build(candidate, task, params)
        shutil.copy(f"reports/{task}/metrics.json", candidate)
        write_table(candidate / "seen.csv", seen_in_training(splits))
        network = sha256(candidate)
        decision, leaderboard = examine(task, params, candidate, champion, splits, history)
        reigns = champion and sha256(champion) == network
        if not reigns:
            trials = read_json(candidate / "trials.json")
            history = added(history, event(decision.decision, network, trials, decision.reason))
        card = model_card(
            candidate,
            task,
            decision.decision,
            decision.reason,
            [asdict(gate) for gate in decision.gates],
            read_table(Path("data/raw", task, "manifest.csv")),
            splits,
            network,
        )
        (candidate / "model_card.md").write_text(card, encoding="utf-8")
        candidate.rename(out / decision.decision)
        keep_others(before, out, None if reigns else champion)
        write_json(out / "promotion.json", asdict(decision))
        write_json(out / "history.json", history)
        write_table(out / "leaderboard.csv", leaderboard)
    show_card(task)
    log.info("%s: %s", decision.decision, decision.reason)


if __name__ == "__main__":
    door(main)
