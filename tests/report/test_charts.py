import pytest
from msgspec.structs import replace

from stages.records.objective import Objective
from stages.records.trials import Trials
from stages.report.charts import curve_panels
from stages.report.search import leaderboard
from tests.report.made import attempt, epoch


def trial(number, losses, **more):
    epochs = [
        epoch(e, loss=loss, val_loss=loss, accuracy=0.5, val_accuracy=number / 10)
        for e, loss in enumerate(losses)
    ]
    plain = attempt(
        number,
        epochs,
        score=min(losses),
        seconds=1.0,
        best_epoch=losses.index(min(losses)),
        parameters=10,
        hyperparameters={"rate": number / 10, "kernel_size": 3},
    )
    return replace(plain, **more)


def search(trials, objective=Objective.VAL_LOSS):
    return Trials(
        search_id="s",
        kind="classification",
        objective=objective,
        params={},
        data=(),
        winner=0,
        stopped=False,
        trials=tuple(trials),
        earlier=(),
    )


def test_points_are_where_the_values_are():
    loss, _ = curve_panels([trial(0, [2.0, 1.0, 0.0])], best=0)
    top = float(loss.y[-1].text)
    line = next(line for line in loss.lines if line.kind == "best")
    assert line.path == f"M0.00 {100 - 200 / top:.2f}h0L50.00 {100 - 100 / top:.2f}L100.00 100.00"
    assert [tick.text for tick in loss.x] == ["1", "2", "3"]


def test_one_epoch_is_one_dot_in_the_middle():
    loss, _ = curve_panels([trial(0, [2.0])], best=0)
    assert [(tick.at, tick.text) for tick in loss.x] == [(0, "0"), (50, "1")]
    assert loss.lines[-1].path.startswith("M50.00 ")


def test_small_changes_of_a_high_loss_fill_the_chart():
    loss, _ = curve_panels([trial(0, [1.94, 1.92, 1.9])], best=0)
    assert float(loss.y[0].text) >= 1.8


def test_the_best_trial_is_drawn_last_and_failed_ones_not_at_all():
    trials = [trial(0, [1.0]), trial(1, [2.0, 1.5]), trial(2, [1.0], epochs=())]
    loss, _ = curve_panels(trials, best=0)
    assert [line.kind for line in loss.lines] == ["other", "training", "best"]


def test_a_trial_that_explodes_does_not_flatten_the_others():
    loss, _ = curve_panels([trial(0, [1.0, 0.5]), trial(1, [1e6, 1e7])], best=0)
    assert loss.cut and float(loss.y[-1].text) <= 4
    calm, _ = curve_panels([trial(0, [1.0, 0.5]), trial(1, [1.5, 1.2])], best=0)
    assert not calm.cut


def test_what_names_numbers_has_errors_instead_of_accuracies():
    epochs = [epoch(e, loss=2.0, val_loss=1.0, mae=8.0, val_mae=10.0 - 5 * e) for e in range(3)]
    calm = trial(0, [1.0], epochs=tuple(epochs))
    wild = trial(1, [1.0], epochs=(replace(epochs[0], val_mae=1e6),))
    _, error = curve_panels([wild, calm], best=0)
    assert (error.title, error.cut) == ("Mean absolute error", True)
    assert float(error.y[0].text) == 0 and float(error.y[-1].text) <= 40
    both = tuple(replace(each, accuracy=0.5, val_accuracy=0.25) for each in epochs)
    panels = curve_panels([trial(0, [1.0], epochs=both)], best=0)
    assert [panel.title for panel in panels] == ["Loss", "Accuracy", "Mean absolute error"]
    row = leaderboard(search([calm])).rows[0]
    assert (row.val_accuracy, row.val_mae) == (None, 10.0)


@pytest.mark.parametrize(("objective", "order"), [("val_loss", [2, 1]), ("val_accuracy", [1, 2])])
def test_leaderboard_order_follows_the_objective(objective, order):
    failed = trial(2, [1.0], status="FAILED", score=None, best_epoch=None, error="a\nthe end\n")
    trials = [trial(0, [0.9]), trial(1, [0.3]), failed]
    board = leaderboard(search(trials, Objective(objective)))
    assert [row.trial.trial + 1 for row in board.rows] == [*order, 3]
    assert board.rows[-1].error == "the end"
    assert board.shared == [("kernel size", "3")]
    assert ("rate", "0.1") in board.rows[order.index(2)].settings
