"""The training of the original networks: a fixed number of epochs, and the last one's weights.

As the original team did it: no early stopping and no choice of an epoch by val.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from stages.baseline.system import JUDGED, Fitted, Job
from stages.common.clock import now_ms
from stages.common.parallel import progress
from stages.networks.batches import Batches
from stages.networks.channels import grey, rgb
from stages.networks.predict import outputs
from stages.records.params import Network
from stages.records.shards import Shards
from stages.records.trials import Epoch

Shape = tuple[int, int, int]  # side, side, 1 or 3


@dataclass(frozen=True)
class Architecture:
    """A network by itself, whatever the shards' pictures are like."""

    about: str  # for people
    shape: Shape  # of the pictures that it was made for
    # (shape, number of classes, file of ImageNet weights) -> a compiled network: pixels 0 to 1 in,
    # probabilities out
    build: Callable[[Shape, int, Path | None], keras.Model]


def assemble(
    architecture: Architecture, shape: Shape, n_classes: int, pretrained: Path | None
) -> keras.Model:
    """The network, compiled, for `uint8` pictures of another shape."""
    side, _, channels = architecture.shape
    network = architecture.build(architecture.shape, n_classes, pretrained)
    pictures = keras.Input(shape, dtype="uint8")
    pixels = keras.layers.Rescaling(1.0)(pictures)
    pixels = grey(pixels) if channels == 1 else rgb(pixels)
    pixels = keras.layers.Resizing(side, side, antialias=True)(pixels)
    model = keras.Model(pictures, network(keras.layers.Rescaling(1 / 255)(pixels)))
    model.compile(network.optimizer, network.loss, metrics=["accuracy"])
    return model


def fit(job: Job, budget: Network, architecture: Architecture) -> Fitted:
    """Train the network from the shards, a batch at a time.

    Raises ArithmeticError when a loss is not a number.
    """
    train, val = job.parts["train"], job.parts["val"]
    _, height, width, channels = train.shape
    keras.utils.clear_session()
    keras.utils.set_random_seed(job.seed)
    shape = height, width, channels
    model = assemble(architecture, shape, job.n_classes, job.pretrained)
    batches = Batches(
        train,
        _targets(model, train, job.n_classes),
        budget.batch_size,
        samples_per_epoch=budget.samples_per_epoch,
        shuffle_seed=job.seed,
    )
    judged = Batches(val, _targets(model, val, job.n_classes), budget.batch_size)
    epochs: list[Epoch] = []
    steps = budget.epochs * len(batches)
    bar = progress(range(steps), desc=budget.name, total=steps, unit="step")

    def note(epoch: int, logs: dict[str, float]) -> None:
        row = {name: float(value) for name, value in logs.items()}
        if not all(map(math.isfinite, row.values())):
            raise ArithmeticError(f"not a number in epoch {epoch + 1}: {row}")
        epochs.append(Epoch(epoch=epoch, time_ms=now_ms(), **row))
        bar.set_postfix({name: f"{value:.3f}" for name, value in row.items()}, refresh=False)

    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=note, on_train_batch_end=lambda batch, logs: bar.update()
    )
    with bar:
        model.fit(
            batches, validation_data=judged, epochs=budget.epochs, callbacks=[watch], verbose=0
        )
    settings = {
        "samples_per_epoch": batches.size,
        "optimizer": type(model.optimizer).__name__,
        "learning_rate": float(f"{float(model.optimizer.learning_rate):.6g}"),
        "loss": model.loss,
        "size": architecture.shape[0],
        "channels": architecture.shape[-1],
    }
    answers = {part: outputs(model, job.parts[part]).raw for part in JUDGED}
    return Fitted(answers, settings, model.count_params(), tuple(epochs))


def _targets(model: keras.Model, shards: Shards, n_classes: int) -> np.ndarray:
    if model.loss == "sparse_categorical_crossentropy":
        return shards.labels
    return np.eye(n_classes, dtype=np.float32)[shards.labels]
