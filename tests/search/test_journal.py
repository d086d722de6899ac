"""What people read while a search runs."""

from types import SimpleNamespace

from stages.records import attempts
from stages.records.trials import Attempt
from stages.search.journal.journal import Journal
from tests.search.conftest import small


def test_the_time_left_is_that_of_whole_trials_without_features_computed_once(tmp_path, caplog):
    journal = Journal(tmp_path, small(max_trials=6), attempts.ALONE)
    for number, (seconds, features) in enumerate([(130.0, 100.0), (30.0, None)]):
        ended = Attempt(
            trial=number,
            attempt=1,
            status="COMPLETED",
            hyperparameters={},
            worker=attempts.ALONE,
            started_ms=0,
            score=0.5 - 0.1 * number,
            seconds=seconds,
            feature_seconds=features,
        )
        attempts.write(tmp_path, ended)
    hyperparameters = SimpleNamespace(values={}, space=[])
    trial = SimpleNamespace(
        trial_id="2",
        hyperparameters=hyperparameters,
        status="COMPLETED",
        score=0.7,
        best_step=1,
        message=None,
    )
    with caplog.at_level("INFO"):
        journal.trial_begins(trial)
        journal.trial_ends(trial)
    [said] = [line for line in caplog.messages if "to go" in line]
    assert said == "trial 3 completed in 0 s; best so far 0.4000; about 1 min 0 s to go"
