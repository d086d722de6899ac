"""AutoKeras' search over the training shards, judged on the validation part."""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from stages.common.errors import UserError
from stages.records import attempts
from stages.records.objective import Objective
from stages.records.trials import Attempt, ranked
from stages.search.control import Control
from stages.search.journal.journal import Journal
from stages.search.trial import watch
from stages.search.trial.final_fit import final_fit
from stages.search.trial.plan import Plan
from stages.search.trial.pure_keras import pure_keras
from stages.search.trial.target import finish
from stages.search.trial.tuner import FromShards, automodel, fit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    model: keras.Model  # pure Keras: `uint8` pictures in; classes, a number, or both out
    best: Attempt
    trials: list[Attempt]  # the last attempt at every trial, failed ones too
    earlier: list[Attempt]  # the attempts before those
    final_fit: Attempt | None  # the winner trained once more, on train and val
    start: Callable[[], keras.Model]  # makes the winner as it was before its training


def search(
    plan: Plan,
    scratch: Path,
    control: Control | None = None,
    mixin: type[FromShards] = FromShards,
) -> Result:
    """Try `plan.params.max_trials` networks, and return the one with the best validation objective.

    Trials live in `scratch`, which must belong to exactly this search (see `fingerprint`). Those
    that ended are kept, an interrupted one is run again, and a larger `max_trials` adds more. The
    attempts in it (see `stages.records.attempts`) can be read while they train. After
    `control.stop`, the result is the best so far, without a final fit.

    `mixin`: how the tuner gets its trials done; by default it trains them in this process.
    Raises `UserError` when no trial has a result, `Outgrown` where `control.recycle` is set.
    """
    params = plan.params
    control = control or Control()
    journal = Journal(scratch, params, attempts.ALONE)
    tuner = run_trials(plan, scratch, journal, control, mixin)
    known = [each for each in attempts.read(scratch) if each.trial < params.max_trials]
    trials = attempts.latest(known)
    best = next(iter(ranked(trials, Objective(params.objective))), None)
    if best is None or best.score is None:
        raise UserError(_no_result(trials))
    winner = next(t for t in tuner.oracle.trials.values() if int(t.trial_id) == best.trial)
    tuner.precision = "float32"  # for computers without a GPU

    def start() -> keras.Model:
        return pure_keras(tuner._try_build(winner.hyperparameters))

    record = None
    if params.final_fit and not control.stop:
        rate = winner.hyperparameters.get("learning_rate")
        model, record = _final_fit(plan, start, best, rate, journal)
    else:
        with warnings.catch_warnings():  # the optimizer's state is of no use any more
            warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
            model = pure_keras(tuner.load_model(winner))
    model = finish(model, plan.target)
    earlier = [each for each in known if each not in trials]
    return Result(model, best, trials, earlier, record, start)


def run_trials(
    plan: Plan, scratch: Path, journal: Journal, control: watch.Control, mixin: type[FromShards]
) -> Any:
    """Run the trials that are left; returns AutoKeras' tuner."""
    model = automodel(plan, scratch, journal, control, mixin)
    try:
        fit(model, plan)
    except watch.Stopped:
        log.info("the search ends early, as it was asked to")
        journal.stopped()
    return model.tuner


def _final_fit(
    plan: Plan,
    start: Callable[[], keras.Model],
    winner: Attempt,
    learning_rate: float,
    journal: Journal,
) -> tuple[keras.Model, Attempt]:
    """Kept beside the attempts: the same winner is not trained twice."""
    kept, record = journal.scratch / "final_fit.keras", attempts.final_fit(journal.scratch)
    if record and record.status == "COMPLETED" and record.trial == winner.trial:
        return keras.saving.load_model(kept, compile=False), record
    assert winner.best_epoch is not None and winner.batch_size is not None
    epochs = winner.best_epoch + 1
    log.info("final fit: trial %d on train and val, %d epochs", winner.trial + 1, epochs)
    journal.final_fit_begins(winner)
    model = final_fit(
        plan,
        start,
        journal,
        trial=winner.trial,
        learning_rate=learning_rate,
        batch_size=winner.batch_size,
        epochs=epochs,
    )
    model.save(kept)  # it counts once the record says COMPLETED
    return model, journal.final_fit_ends()


def _no_result(trials: list[Attempt]) -> str:
    failed = [trial for trial in trials if trial.status == "FAILED"]
    if len(failed) < len(trials) or not trials:
        return "the search ended before its first trial had finished an epoch; it has no network"
    errors = "\n".join(trial.error.strip() for trial in failed)
    return f"all {len(failed)} trials failed; the search has no model:\n{errors}"
