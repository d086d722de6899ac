"""What a trial trains, and on what: a whole network on pictures, or its head on features."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

from stages.networks.batches import Batches
from stages.records.shards import Pictures, Shards
from stages.search.trial.features import Features, Halves, Mirrored, Rows, halves
from stages.search.trial.plan import Plan
from stages.search.trial.target import Target
from stages.search.trial.watch import Journal

# A head is small: a step takes more pictures. Its epochs take a fraction of a second: it has more
# of them, more pictures in each, and more patience.
HEAD_BATCH = 4
HEAD_EPOCHS = 5
HEAD_PATIENCE = 2
NORMALISATION_BYTES = 16 << 20  # float32 pictures that the normalisation layer is fitted on


@dataclass(frozen=True)
class Part:
    """Pictures, or features of them, and their targets, (N, ...)."""

    pictures: Pictures
    targets: np.ndarray


@dataclass(frozen=True)
class Lesson:
    network: keras.Model
    learner: keras.Model  # the network, or its head: it shares the network's layers
    target: Target
    train: Part
    val: Part | None  # None: a final fit
    batch_size: int
    samples_per_epoch: int | None
    rounds: int  # epochs for each epoch of the parameters
    patience: int

    def fit(
        self,
        settings: dict[str, Any],
        *,
        epochs: int,
        seed: int,
        journal: Journal,
        initial_epoch: int = 0,
        until: int | None = None,
        callbacks: list[keras.callbacks.Callback],
    ) -> None:
        """Train the learner with the hyperparameters `settings` for at most `epochs` rounds.

        `until`: end after so many epochs of the same schedule.
        """
        batches = Batches(
            self.train.pictures,
            self.train.targets,
            self.batch_size,
            samples_per_epoch=self.samples_per_epoch,
            shuffle_seed=seed,
        )
        epochs *= self.rounds
        rate = settings["learning_rate"]
        if self.learner is not self.network:  # a short training ends better with small steps
            rate = keras.optimizers.schedules.CosineDecay(rate, epochs * len(batches))
        optimizer = keras.optimizers.AdamW(rate, weight_decay=settings["weight_decay"])
        # A head's step takes less time than its call from Python: an epoch is one call.
        at_once = 1 if self.learner is self.network else len(batches)
        self.learner.compile(
            optimizer, self.target.loss, metrics=self.target.metrics, steps_per_execution=at_once
        )
        for callback in callbacks:
            if isinstance(callback, keras.callbacks.EarlyStopping):
                callback.patience = self.patience  # set, as a retry has the same callbacks
        judged = self.val and Batches(self.val.pictures, self.val.targets, self.batch_size)
        self.learner.fit(
            batches,
            validation_data=judged,
            epochs=until or epochs,
            initial_epoch=initial_epoch * self.rounds,
            callbacks=[*callbacks, journal.training_begins(self.network, batches, epochs)],
            verbose=0,
        )


class Exam(NamedTuple):
    """What a network, or its head, sees of val."""

    parts: Halves | None  # of a network with a frozen first part
    learner: keras.Model
    plain: Pictures
    mirrored: Pictures  # turned left to right


class Lessons:
    """Makes lessons of the plan's pictures; keeps what is known of their features."""

    def __init__(self, plan: Plan, journal: Journal) -> None:
        self.plan, self.journal = plan, journal
        self._features: dict[tuple[str, str], Features] = {}

    def of(self, network: keras.Model, seed: int, halvings: int = 0) -> Lesson:
        """A trial of `network`. The batch size is halved `halvings` times."""
        plan, target = self.plan, self.plan.target
        y = target.targets(plan.train, training=True)
        y_val = target.targets(plan.val, training=False)
        size = plan.params.batch_size
        parts = self._halves(network)
        if parts is None:
            normalise(network, plan.train, seed)
            train, val = Part(plan.train, y), Part(plan.val, y_val)
            return self._lesson(network, network, train, val, max(1, size >> halvings))
        train = Part(self._of(parts, "train"), y[self._rows])
        val = Part(self._of(parts, "val"), y_val)
        return self._lesson(network, parts.head, train, val, max(1, size * HEAD_BATCH >> halvings))

    def joined(self, network: keras.Model, seed: int, batch_size: int) -> Lesson:
        """A final fit of `network`, on train and val together."""
        plan, target = self.plan, self.plan.target
        y, y_val = (target.targets(part, training=True) for part in (plan.train, plan.val))
        parts = self._halves(network)
        if parts is None:
            normalise(network, plan.train, seed)
            joined, learner = Joined(plan.train, plan.val, copies(plan.train)), network
        else:
            learner = parts.head
            y = y[self._rows]
            known = self._of(parts, "train"), self._of(parts, "val")
            joined = Joined(*known, min(plan.params.feature_copies, copies(plan.train)))
        part = Part(joined, np.concatenate([y, y_val])[joined.rows])
        return self._lesson(network, learner, part, None, batch_size)

    def exam(self, network: keras.Model) -> Exam:
        val, parts = self.plan.val, self._halves(network)
        if parts is None:
            return Exam(None, network, val, Mirrored(val))
        return Exam(parts, parts.head, self._of(parts, "val"), self._of(parts, "mirrored"))

    def _lesson(
        self,
        network: keras.Model,
        learner: keras.Model,
        train: Part,
        val: Part | None,
        batch_size: int,
    ) -> Lesson:
        params, whole = self.plan.params, network is learner
        rounds = 1 if whole else HEAD_EPOCHS
        samples = params.samples_per_epoch
        return Lesson(
            network,
            learner,
            self.plan.target,
            train,
            val,
            batch_size,
            samples_per_epoch=samples and samples * rounds,
            rounds=rounds,
            patience=params.patience * (1 if whole else HEAD_PATIENCE),
        )

    def _halves(self, network: keras.Model) -> Halves | None:
        """See `features.halves`; the trunk is ready for pictures."""
        parts = halves(network)
        if parts:
            normalise(parts.trunk, self.plan.train, self.plan.params.seed)
        return parts

    @cached_property
    def _rows(self) -> np.ndarray:
        """Of the training pictures whose features are used: the first few copies of each photo."""
        copy = self.plan.train.index()["copy"].to_numpy()
        return np.flatnonzero(copy < self.plan.params.feature_copies)

    def _of(self, parts: Halves, part: Literal["train", "val", "mirrored"]) -> Features:
        name = parts.key, part
        if name not in self._features:
            train, val = self.plan.train, self.plan.val
            views = {"train": Rows(train, self._rows), "val": val, "mirrored": Mirrored(val)}
            scratch, watch = self.plan.scratch, self.journal.features
            self._features[name] = Features(parts, views[part], scratch, watch)
        return self._features[name]


class Joined:
    """The pictures of train, then those of val, as `stages.records.shards.Pictures`.

    Validation photos have no augmented copies. Each is repeated `copies` times, as often as a
    training photo occurs, so that every photo counts the same.
    """

    def __init__(self, train: Pictures, val: Pictures, copies: int) -> None:
        self.parts = train, val
        repeated = np.tile(np.arange(len(val)), copies)
        self.rows = np.concatenate([np.arange(len(train)), len(train) + repeated])
        self.shape = (len(self.rows), *train.shape[1:])

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, rows: np.ndarray) -> np.ndarray:
        train, val = self.parts
        wanted = self.rows[rows]
        from_train = wanted < len(train)
        first = train.read(wanted[from_train])
        pictures = np.empty((len(rows), *self.shape[1:]), first.dtype)
        pictures[from_train] = first
        pictures[~from_train] = val.read(wanted[~from_train] - len(train))
        return pictures


def copies(train: Shards) -> int:
    """How many pictures there are of each training photo."""
    return round(len(train) / train.index()["id"].nunique())


def normalise(model: keras.Model, train: Pictures, seed: int) -> None:
    """Fit the normalisation layers on a seeded sample of bounded size."""
    n = NORMALISATION_BYTES // (4 * int(np.prod(train.shape[1:])))
    rows = np.random.default_rng(seed).permutation(len(train))[: max(n, 64)]
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt(train.read(rows).astype(np.float32))
