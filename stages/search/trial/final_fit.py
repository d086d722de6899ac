"""The winner trained once more, from the start, on training and validation photos together."""

import logging
import time
from pathlib import Path

import keras
import numpy as np

from stages.common.batches import Batches
from stages.records.params import Search
from stages.records.shards import Shards
from stages.search.journal import attempts
from stages.search.journal.attempts import Attempt
from stages.search.search import SearchResult, loss_and_metric, targets
from stages.search.trial.tuner import normalise

log = logging.getLogger(__name__)


class Joined:
    """The pictures of train and, repeated as often as each training photo has copies, of val.

    So that every photo counts the same. Validation photos come without augmentation.
    """

    def __init__(self, train: Shards, val: Shards) -> None:
        self.parts = train, val
        copies = round(len(train) / train.index()["id"].nunique())
        self.rows = np.concatenate(
            [np.arange(len(train)), len(train) + np.tile(np.arange(len(val)), copies)]
        )
        self.shape = (len(self.rows), *train.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: np.ndarray) -> np.ndarray:
        train, val = self.parts
        wanted = self.rows[rows]
        pictures = np.empty((len(rows), *self.shape[1:]), np.uint8)
        from_train = wanted < len(train)
        pictures[from_train] = train.read(wanted[from_train])
        pictures[~from_train] = val.read(wanted[~from_train] - len(train))
        return pictures


def final_fit(
    result: SearchResult,
    params: Search,
    train: Shards,
    val: Shards,
    n_classes: int | None,
    scratch: Path,
) -> tuple[keras.Model, Attempt]:
    """The winning network, trained for as many epochs as it took in the search, and what happened.

    There is no photo left to judge it on but the test part's. Kept in `scratch`: the same winner
    is not trained twice.
    """
    winner = next(trial for trial in result.trials if trial["trial"] == result.best)
    kept, record = scratch / "final_fit.keras", attempts.final_fit(scratch)
    if record and record["status"] == "COMPLETED" and record["trial"] == result.best:
        return keras.saving.load_model(kept, compile=False), record
    epochs = winner["best_epoch"] + 1
    log.info("final fit: trial %d on train and val, %d epochs", result.best + 1, epochs)
    keras.utils.set_random_seed(params.seed + result.best)
    model = result.start()
    normalise(model, train, params.seed + result.best)
    loss, metric = loss_and_metric(n_classes)
    optimizer = keras.optimizers.Adam(winner["hyperparameters"]["learning_rate"])
    model.compile(optimizer, loss, metrics=[metric])
    joined = Joined(train, val)
    y = np.concatenate([targets(part, n_classes) for part in joined.parts])[joined.rows]
    batches = Batches(
        joined, y, winner["batch_size"], samples_per_epoch=params.samples_per_epoch,
        shuffle_seed=params.seed,
    )  # fmt: skip
    started = _now()
    record = winner | {
        "attempt": 1, "status": "RUNNING", "score": None, "best_epoch": None, "seconds": None,
        "parameters": model.count_params(), "epochs": [], "error": "", "memory_mb": None,
        "started_ms": started, "ended_ms": None,
    }  # fmt: skip

    def note(epoch: int, logs: dict) -> None:
        record["epochs"].append({"epoch": epoch, "time_ms": _now()} | logs)
        attempts.write_final_fit(scratch, record)

    attempts.write_final_fit(scratch, record)
    callback = keras.callbacks.LambdaCallback(on_epoch_end=note)
    model.fit(batches, epochs=epochs, callbacks=[callback], verbose=2)
    model.save(kept)  # counts once the record says COMPLETED
    seconds = (_now() - started) / 1000
    record |= {"status": "COMPLETED", "ended_ms": _now(), "seconds": seconds}
    attempts.write_final_fit(scratch, record)
    return model, record


def _now() -> int:
    return int(time.time() * 1000)
