"""AutoKeras' search over the training shards, judged on the validation part."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from stages.common.errors import UserError
from stages.records import attempts
from stages.records.objective import Objective
from stages.records.trials import Attempt, Gain, Member, Outputs, ranked
from stages.search.control import Control
from stages.search.ensemble import choose, combined, mean_answer
from stages.search.journal.journal import Journal
from stages.search.trial import watch
from stages.search.trial.answers import Answers
from stages.search.trial.plan import Plan
from stages.search.trial.pure_keras import pure_keras
from stages.search.trial.target import finish, finished
from stages.search.trial.tuner import FromShards, automodel, fit

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    model: keras.Model  # pure Keras: `uint8` pictures in; classes, a number, or both out
    best: Attempt
    trials: list[Attempt]  # the last attempt at every trial, failed ones too
    earlier: list[Attempt]  # the attempts before those
    members: list[Member]  # the trials whose mean answer the model gives
    gain: Gain
    final_fits: list[Attempt]  # the members trained once more, on train and val
    val: Outputs  # what the model said of val before a final fit


def search(
    plan: Plan,
    scratch: Path,
    control: Control | None = None,
    mixin: type[FromShards] = FromShards,
) -> Result:
    """Try `plan.params.max_trials` networks, and answer with the best ones by the val objective.

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
    tuner.precision = "float32"  # for computers without a GPU
    scored = [each for each in trials if each.score is not None]
    answers = {each.trial: tuner.answers(each.trial) for each in scored}
    members, gain = _members(plan, answers, best)
    final_fits: list[Attempt] = []
    networks: dict[int, keras.Model] = {}
    for trial in dict.fromkeys(member.trial for member in members):
        [attempt] = [each for each in trials if each.trial == trial]
        if params.final_fit and not control.stop:
            networks[trial], record = _final_fit(tuner, attempt, journal)
            final_fits.append(record)
        else:
            networks[trial] = pure_keras(tuner.network(trial))
    model = finish(combined(networks, members), plan.target)
    earlier = [each for each in known if each not in trials]
    val = finished(mean_answer(answers, members), plan.target)
    return Result(model, best, trials, earlier, members, gain, final_fits, val)


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


def _members(plan: Plan, answers: dict[int, Answers], best: Attempt) -> tuple[list[Member], Gain]:
    """The best trial, and those that make its answer better."""

    def error(answer: Any) -> float:
        return plan.target.error(answer, plan.val)

    alone = error(answers[best.trial].plain)
    members, together = choose(answers, best.trial, plan.params.ensemble, error)
    for member in members:
        view = ", mirrored" if member.mirrored else ""
        log.info("ensemble: trial %d%s, weight %.2f", member.trial + 1, view, member.weight)
    log.info("error on val: %.4f alone, %.4f together", alone, together)
    return members, Gain(alone, together)


def _final_fit(tuner: Any, attempt: Attempt, journal: Journal) -> tuple[keras.Model, Attempt]:
    """The network and its record, both kept beside the attempts: it is not trained twice."""
    kept = journal.scratch / "final_fits" / f"{attempt.trial:04}.keras"
    record = attempts.final_fit(journal.scratch, attempt.trial)
    if record and record.status == "COMPLETED":
        return keras.saving.load_model(kept, compile=False), record
    log.info("final fit: trial %d on train and val", attempt.trial + 1)
    journal.final_fit_begins(attempt)
    model = pure_keras(tuner.final_fit(attempt))
    kept.parent.mkdir(exist_ok=True)
    model.save(kept)  # it counts once the record says COMPLETED
    return model, journal.final_fit_ends()


def _no_result(trials: list[Attempt]) -> str:
    failed = [trial for trial in trials if trial.status == "FAILED"]
    if len(failed) < len(trials) or not trials:
        return "the search ended before its first trial had finished an epoch; it has no network"
    errors = "\n".join(trial.error.strip() for trial in failed)
    return f"all {len(failed)} trials failed; the search has no model:\n{errors}"
