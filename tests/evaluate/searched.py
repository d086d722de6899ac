"""Finished searches, as far as `evaluate` reads them."""

from stages.records.objective import Objective
from stages.records.trials import Attempt, Epoch, Trials


def attempt(trial: int, epochs: tuple[Epoch, ...]) -> Attempt:
    return Attempt(
        trial=trial,
        attempt=1,
        status="COMPLETED",
        hyperparameters={},
        worker="",
        started_ms=1,
        epochs=epochs,
    )


def finished(*attempts: Attempt, final_fits: tuple[Attempt, ...] = ()) -> Trials:
    """The last of `attempts` is the best."""
    return Trials(
        search_id="s",
        kind="classification",
        objective=Objective.VAL_LOSS,
        params={},
        data=(),
        winner=attempts[-1].trial,
        stopped=False,
        trials=attempts,
        earlier=(),
        final_fits=final_fits,
    )
