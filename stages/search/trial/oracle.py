"""Repairs of KerasTuner's oracle, which proposes the trials and keeps their state."""

import json
import sys
from pathlib import Path
from typing import Any

import keras

from stages.common.files import new_file


def repair(oracle: Any, seed: int) -> None:
    """Let `oracle`, new or reloaded, go on after any failure or kill, with the same trials."""
    oracle.max_consecutive_failed_trials = sys.maxsize  # a failure ends that trial only
    oracle.verbose = 0
    _seed_proposals(oracle, seed)
    _save_atomically(oracle)
    _heal(oracle)


def _seed_proposals(oracle: Any, seed: int) -> None:
    """Seed each proposal by the trial's number.

    So a search of three trials, and one of two that goes on with a third, are the same.
    """
    propose = oracle.populate_space

    def seeded(trial_id: str) -> dict[str, Any]:
        keras.utils.set_random_seed(seed + int(trial_id))
        return propose(trial_id)

    oracle.populate_space = seeded


def _save_atomically(oracle: Any) -> None:
    """KerasTuner writes its state in place; a kill while it writes would lose the search."""

    def save() -> None:
        with new_file(Path(oracle._get_oracle_fname())) as part:
            part.write_text(json.dumps(oracle.get_state()), encoding="utf-8")

    def save_trial(trial: Any) -> None:
        with new_file(Path(oracle._get_trial_dir(trial.trial_id), "trial.json")) as part:
            trial.save(str(part))

    oracle.save, oracle._save_trial = save, save_trial


def _heal(oracle: Any) -> None:
    """KerasTuner saves a trial and its own state one after the other; a kill may come between."""
    for trial_id in set(oracle.trials) - set(oracle.start_order):
        del oracle.trials[trial_id]  # the same trial will be proposed again
    for trial_id in list(oracle._retry_queue):
        if oracle.trials[trial_id].status in ("COMPLETED", "FAILED"):
            oracle._retry_queue.remove(trial_id)
            if trial_id not in oracle.end_order:
                oracle.end_order.append(trial_id)
