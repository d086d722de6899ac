"""The winner trained once more, from the start, on training and validation photos together."""

from collections.abc import Callable

import keras
import numpy as np

from stages.networks.batches import Batches
from stages.records.shards import Shards
from stages.search.trial.plan import Plan
from stages.search.trial.tuner import normalise
from stages.search.trial.watch import Journal


class Joined:
    """The pictures of train, then those of val, as `stages.records.shards.Pictures`.

    Validation photos have no augmented copies. Each is repeated as often as a training photo has
    copies, so that every photo counts the same.
    """

    def __init__(self, train: Shards, val: Shards) -> None:
        self.parts = train, val
        copies = round(len(train) / train.index()["id"].nunique())
        repeated = np.tile(np.arange(len(val)), copies)
        self.rows = np.concatenate([np.arange(len(train)), len(train) + repeated])
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
    plan: Plan,
    start: Callable[[], keras.Model],
    journal: Journal,
    *,
    trial: int,
    learning_rate: float,
    batch_size: int,
    epochs: int,
) -> keras.Model:
    """The network that `start` makes, trained as `trial` was.

    No validation part is left: `epochs` is how many the trial needed for its best.
    """
    params, target = plan.params, plan.target
    keras.utils.set_random_seed(params.seed + trial)
    model = start()
    normalise(model, plan.train, params.seed + trial)
    model.compile(keras.optimizers.Adam(learning_rate), target.loss, metrics=target.metrics)
    joined = Joined(plan.train, plan.val)
    y = np.concatenate([target.targets(part, training=True) for part in joined.parts])[joined.rows]
    batches = Batches(
        joined,
        y,
        batch_size,
        samples_per_epoch=params.samples_per_epoch,
        shuffle_seed=params.seed,
    )
    watch = journal.training_begins(model, batches, epochs)
    model.fit(batches, epochs=epochs, callbacks=[watch], verbose=0)
    return model
