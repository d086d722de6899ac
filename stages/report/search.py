"""The trials of a search as a leaderboard."""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

from stages.records.trials import Attempt, Setting, Trials

Text = tuple[str, str]  # a setting and its value


@dataclass(frozen=True)
class Row:
    trial: Attempt
    best: bool
    val_accuracy: float | None  # in the best epoch
    val_mae: float | None
    settings: list[Text]  # those that differ from trial to trial
    error: str  # its last line


@dataclass(frozen=True)
class Leaderboard:
    rows: list[Row]  # best first, failed ones last
    shared: list[Text]  # settings that are the same in all trials that have them
    seconds: float
    failed: int


def leaderboard(search: Trials) -> Leaderboard:
    settings = {text for trial in search.trials for text in _texts(trial.hyperparameters)}
    values = Counter(name for name, _ in settings)
    several = len(search.trials) > 1
    shared = {text for text in settings if several and values[text[0]] == 1}
    return Leaderboard(
        rows=[_row(trial, trial.trial == search.winner, shared) for trial in search.ranked()],
        shared=sorted(shared),
        seconds=sum(trial.seconds or 0 for trial in search.trials),
        failed=sum(trial.score is None for trial in search.trials),
    )


def _row(trial: Attempt, best: bool, shared: Set[Text]) -> Row:
    epoch = next((e for e in trial.epochs if e.epoch == trial.best_epoch), None)
    return Row(
        trial,
        best,
        val_accuracy=epoch.val_accuracy if epoch else None,
        val_mae=epoch.val_mae if epoch else None,
        settings=[text for text in _texts(trial.hyperparameters) if text not in shared],
        error=trial.error.strip().splitlines()[-1] if trial.error.strip() else "",
    )


def _texts(hyperparameters: Mapping[str, Setting]) -> list[Text]:
    def text(value: Setting) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return f"{value:g}" if isinstance(value, float) else str(value)

    return [(name.replace("_", " "), text(value)) for name, value in hyperparameters.items()]
