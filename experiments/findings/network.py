"""The network and the budget of all findings: seconds on two cores; all answers are kept."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from stages.common.backend import import_keras
from stages.records.shards import Shards

if TYPE_CHECKING:
    import keras

SEEDS = (1, 2, 3)
STEPS, BATCH = 300, 32


@dataclass(frozen=True)
class Answers:
    """What networks said of N pictures, those of all seeds one after another."""

    labels: np.ndarray  # int (N,)
    probabilities: np.ndarray  # float (N, classes)
    groups: np.ndarray  # text (N,): pictures of one group are no evidence of their own
    seeds: np.ndarray  # int (N,)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def predicted(self) -> np.ndarray:
        return self.probabilities.argmax(1)


def join(answers: list[Answers]) -> Answers:
    names = ("labels", "probabilities", "groups", "seeds")
    return replace(
        answers[0], **{n: np.concatenate([getattr(a, n) for a in answers]) for n in names}
    )


def learn(
    shards: Shards, rows: np.ndarray, labels: np.ndarray, classes: int, seed: int
) -> "keras.Model":
    """Train STEPS batches of BATCH pictures at `rows`; `labels`, int, are those of all rows.

    Every row is seen once before any is seen twice, however many or few there are.
    """
    keras = import_keras()
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    rounds = -(-STEPS * BATCH // len(rows))
    seen = np.concatenate([rng.permutation(rows) for _ in range(rounds)])[: STEPS * BATCH]
    model = network(shards.shape[1:], classes)
    model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    # Each class weighs the same, as in the balanced accuracy that is asked for.
    counts = np.bincount(labels[rows], minlength=classes)
    weights = len(rows) / classes / np.maximum(counts, 1)
    model.fit(
        shards.read(seen),
        labels[seen],
        sample_weight=weights[labels[seen]],
        batch_size=BATCH,
        shuffle=False,
        verbose=0,
    )
    return model


def ask(
    model: "keras.Model",
    shards: Shards,
    rows: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    seed: int,
) -> Answers:
    """The model on pictures at `rows`; `labels` and `groups` are those of all rows of `shards`."""
    to_numpy = import_keras().ops.convert_to_numpy
    # Not `predict`: it would trace a graph for each network, and warn that it does.
    said = [to_numpy(model(shards.read(part), training=False)) for part in _batches(rows)]
    return Answers(labels[rows], np.concatenate(said), groups[rows], np.full(len(rows), seed))


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    return [rows[start : start + 256] for start in range(0, len(rows), 256)]


def network(shape: tuple[int, int, int], classes: int) -> "keras.Model":
    """uint8 pictures of `shape` (H, W, C) in, probabilities out: three convolutions, and the
    strongest answer anywhere in the picture, which forgives the augmentation's shifts."""
    layers = import_keras().layers
    parts = [import_keras().Input(shape, dtype="uint8"), layers.Rescaling(1 / 127.5, -1)]
    for filters, kernel, stride in ((32, 5, 2), (64, 3, 1), (128, 3, 1)):
        parts += [
            layers.Conv2D(filters, kernel, strides=stride, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),  # 0.99 looks back over a third of the budget
            layers.ReLU(),
            layers.MaxPooling2D(),
        ]
    parts += [layers.GlobalMaxPooling2D(), layers.Dense(classes, activation="softmax")]
    return import_keras().Sequential(parts)
