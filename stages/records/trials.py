"""data/search/<task>: the winning network and how it was found (trials.json)."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec
import numpy as np

from stages.records.json_file import JsonFile
from stages.records.npz_file import NpzFile
from stages.records.objective import Objective
from stages.records.record import Record

Setting = bool | int | float | str | None | list[str]
Kind = Literal["classification", "regression"]
# `uint8` pictures in. One output: class probabilities (N, K), the probability of the second of two
# classes (N, 1), or the number of a regression (N, 1). Or two outputs: class probabilities (N, K),
# and a number (N, 1).
MODEL = "model.keras"
LITE = "model.tflite"  # the same for LiteRT
FEATURES = "features"  # in MODEL, the name of the last layer of what has not trained


class Outputs(NamedTuple):
    """What a network answers to N pictures."""

    raw: np.ndarray  # float32 (N, K) or (N, 1): the first output
    values: np.ndarray | None = None  # float32 (N,): the numbers; None where it tells none


class Epoch(Record, omit_defaults=True):
    """One epoch's results. None: not measured."""

    epoch: int  # from 0
    time_ms: int  # when it ended
    loss: float | None  # None: it was not a finite number
    val_loss: float | None = None
    accuracy: float | None = None  # of a classification
    val_accuracy: float | None = None
    mae: float | None = None  # of a network that tells a number, in the unit of the photos' numbers
    val_mae: float | None = None
    learning_rate: float | None = None
    seconds: float | None = None  # with validation
    pictures_per_second: float | None = None  # in training alone
    data_wait: float | None = None  # share of the training time that went by waiting for data
    memory_mb: float | None = None  # the most that the process has held so far

    def metrics(self) -> dict[str, float]:
        """Everything that was measured, by name."""
        found = {name: getattr(self, name) for name in self.__struct_fields__[2:]}
        return {name: value for name, value in found.items() if value is not None}


class Attempt(Record):
    """One attempt at training a trial's network.

    A trial has another attempt when its process was killed or stopped in the one before.
    """

    trial: int  # from 0
    attempt: int  # from 1
    # FAILED: its own fault, `error` says why. INTERRUPTED: its process was killed. STOPPED: asked
    # to end early; it has a score, but the trial is not over.
    status: Literal["RUNNING", "COMPLETED", "FAILED", "INTERRUPTED", "STOPPED"]
    hyperparameters: dict[str, Setting]
    worker: str  # the process that trained it
    started_ms: int
    ended_ms: int | None = None
    score: float | None = None  # the objective's best value
    best_epoch: int | None = None
    seconds: float | None = None
    feature_seconds: float | None = None  # of these; None: it had none to compute
    parameters: int | None = None  # numbers in the network's weights
    batch_size: int | None = None
    epochs: tuple[Epoch, ...] = ()
    error: str = ""
    crashed: bool = False  # its process was killed while it trained
    memory_mb: float | None = None  # the most that the process has held


class DataSet(Record):
    """A part's shards, as MLflow lists them."""

    path: str
    md5: str  # DVC's hash of the folder; "unknown" where dvc.lock has none
    rows: int
    context: Literal["training", "validation"]


class Search(Record):
    """What is searched: known before the first trial."""

    search_id: str  # the fingerprint of all that decides a trial
    kind: Kind
    objective: Objective
    params: dict[str, Setting]  # the section `search` of the parameters, with `blocks` resolved
    data: tuple[DataSet, ...]


class Member(Record):
    """A trial's network in the answer, which is the weighted mean of its members'."""

    trial: int
    mirrored: bool  # it sees the picture turned left to right
    weight: float  # all of them sum to 1


class Gain(Record):
    """Error on val: log loss of the classes, or the mean squared error of a regression."""

    alone: float  # of the best trial
    together: float  # of all members


class Trials(Search):
    """A finished search."""

    winner: int = msgspec.field(name="best")  # the number of the best trial
    stopped: bool  # it was ended early
    trials: tuple[Attempt, ...]  # the last attempt at every trial, failed ones too
    earlier: tuple[Attempt, ...]  # the attempts before those
    members: tuple[Member, ...] = ()  # none: the best trial alone, from before there were members
    gain: Gain | None = None
    final_fits: tuple[Attempt, ...] = ()  # the members trained once more, on train and val
    multiplications: float = 0.0  # a picture takes, about; 0: not known, from an earlier version
    final_fit: Attempt | None = None  # the only one, as the champions of earlier versions have it

    @property
    def best(self) -> Attempt:
        return next(each for each in self.trials if each.trial == self.winner)

    def ranked(self) -> list[Attempt]:
        """Best first; trials without a score last."""
        return ranked(self.trials, self.objective)

    def attempts(self) -> list[Attempt]:
        """All of them, in the order of trials and attempts."""
        return sorted(self.earlier + self.trials, key=lambda each: (each.trial, each.attempt))


def ranked(attempts: Iterable[Attempt], objective: Objective) -> list[Attempt]:
    """Best first; of equal ones the earlier; those without a score last."""
    return sorted(attempts, key=lambda each: objective.key(each.score))


# Parameters that decide no trial: how much is searched, where, and what is done with the winner.
# They may differ between two runs of one search.
OUTSIDE_TRIALS = frozenset(
    {"max_trials", "max_minutes", "workers", "cpus", "gpus", "final_fit", "ensemble"}
)
TRIALS = JsonFile("trials.json", Trials)
# What the same system answered to val, in the order of its shards, before it was trained on val
# too. Only a search with a final fit writes it.
VAL_OUTPUTS = NpzFile("val_outputs.npz", Outputs)
CLASSES = JsonFile("classes.json", dict[str, str])  # class -> its name for people, in order
