"""AutoKeras' `ImageClassifier` or `ImageRegressor` search over the training shards, judged on the
validation part."""

import hashlib
import importlib.metadata
import logging
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.common.errors import UserError
from stages.records.params import Search, Weights
from stages.records.shards import Shards
from stages.search.journal import attempts
from stages.search.journal.attempts import Attempt

if TYPE_CHECKING:
    import autokeras as ak
    import keras

    from stages.search.trial.tuner import Control

log = logging.getLogger(__name__)

# They say how much of the search is run, where, and what is done with the winner: no trial
# depends on them.
OUTSIDE_TRIALS = {"max_trials", "max_minutes", "workers", "final_fit"}


@dataclass(frozen=True)
class SearchResult:
    model: "keras.Model"  # pure Keras: `uint8` pictures in, class probabilities or a number out
    best: int  # the number of the winning trial
    trials: list[Attempt]  # the last attempt at every trial, failed ones too
    start: "Callable[[], keras.Model]"  # makes the winner as it was before its training


def resolve(params: Search, weights: Weights) -> Search:
    """`params` with `blocks: auto` replaced by what this machine can train, without blocks whose
    ImageNet weights are wanted and cannot be had. Raises `UserError` if none is left."""
    from stages.search.trial.hardware import has_gpu
    from stages.search.trial.imagenet import usable
    from stages.search.trial.space import ALL, SMALL

    blocks = params.blocks
    if blocks == "auto":
        blocks = [*(ALL if has_gpu() else SMALL), *(["squeezenet"] if params.pretrained else [])]
    if params.pretrained:
        blocks = usable(blocks, weights)
        if not blocks:
            raise UserError(
                f"search.blocks {params.blocks} all want ImageNet weights, which cannot be had; "
                "add vanilla or residual, or set search.pretrained to false"
            )
    return params.model_copy(update={"blocks": blocks})


def fingerprint(params: Search, data: str, kind: str = "classification") -> str:
    """What the trials of a search depend on: data, parameters, the task's kind, this code,
    AutoKeras, the backend.

    `params` as from `resolve`; the numbers of trials, minutes and workers do not count. `data` as
    from `stages.common.files.digest_folders`.
    """
    digest = hashlib.sha256(data.encode())
    digest.update(params.model_dump_json(exclude=OUTSIDE_TRIALS).encode() + kind.encode())
    room = Path(__file__).parent
    for code in [*sorted(room.rglob("*.py")), room.parent / "common/batches.py"]:
        digest.update(code.read_bytes())
    for package in ("autokeras", "keras-tuner", "keras"):
        digest.update(importlib.metadata.version(package).encode())
    digest.update(os.environ.get("KERAS_BACKEND", "").encode())
    return digest.hexdigest()[:16]


def search(
    params: Search,
    train: Shards,
    val: Shards,
    n_classes: int | None,
    scratch: Path,
    control: "Control | None" = None,
) -> SearchResult | None:
    """Try `params.max_trials` networks and return the one with the best validation objective.

    They tell `n_classes` apart, or, where that is None, learn the numbers of `Shards.values`.

    Trials live in `scratch`, which must belong to exactly this search (see `fingerprint`): those
    that ended are kept, an interrupted one is run again, and more are added when `max_trials`
    has grown. Its attempts (see `attempts`) can be read while they train. With `control.stop` the
    search ends after the running epoch; what it has until then is the result.

    In a worker of several (see `chief`) the result is None: the chief has it.
    Raises `UserError` when there is no trial with a result, `tuner.Outgrown` if `control.recycle`.
    """
    from stages.search.trial.space import space
    from stages.search.trial.tuner import Control, Stopped, tuner_class

    control = control or Control()
    automodel = _automodel(train, n_classes)(
        tuner=tuner_class(
            params.tuner,
            train=train,
            val=val,
            samples_per_epoch=params.samples_per_epoch,
            trial_seed=params.seed,
            scratch=scratch,
            control=control,
            hyperparameters=space(params.blocks, params.pretrained),
            **_of_this_tuner(params, n_classes),
        ),
        objective=params.objective,
        max_trials=params.max_trials,
        max_model_size=params.max_parameters,
        seed=params.seed,
        directory=scratch.parent,
        project_name=scratch.name,
    )
    try:
        _fit(automodel, params, train, val, n_classes)
    except Stopped:
        log.info("the search ends early, as it was told to")
    if automodel.tuner._is_worker():
        return None
    found = attempts.latest(attempts.read(scratch))
    trials = [attempt for attempt in found if attempt["trial"] < params.max_trials]
    scored = [trial for trial in trials if trial["score"] is not None]
    if not scored:
        raise UserError(_no_result(trials))
    pick = max if params.objective == "val_accuracy" else min
    best = pick(scored, key=lambda trial: trial["score"])["trial"]
    automodel.tuner.precision = "float32"  # people's laptops are to run it
    with warnings.catch_warnings():  # the optimizer's state is of no use any more
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
        model = automodel.tuner.load_model(automodel.tuner.trial(best))
    hyperparameters = automodel.tuner.trial(best).hyperparameters

    def start() -> "keras.Model":
        return pure_keras(automodel.tuner._try_build(hyperparameters))

    return SearchResult(pure_keras(model), best, trials, start)


def _no_result(trials: list[Attempt]) -> str:
    failed = [trial for trial in trials if trial["status"] == "FAILED"]
    if len(failed) < len(trials) or not trials:
        return "the search ended before its first trial had finished an epoch; it has no network"
    errors = "\n".join(trial["error"].strip() for trial in failed)
    return f"all {len(failed)} trials failed; the search has no model:\n{errors}"


def _automodel(train: Shards, n_classes: int | None) -> "Callable[..., ak.AutoModel]":
    """AutoKeras' class for the task, with what it has to know of the targets."""
    if n_classes is not None:
        from stages.search.trial.blocks import ImageClassifier

        return partial(ImageClassifier, num_classes=n_classes)
    from stages.search.trial.regression import ImageRegressor

    loss, metric = loss_and_metric(n_classes)
    offset, scale = float(train.values.mean()), float(train.values.std())
    if not scale:
        raise UserError(f"{train.folder}: all photos have the value {offset:g}; nothing to learn")
    return partial(ImageRegressor, offset=offset, scale=scale, loss=loss, metrics=[metric])


def _of_this_tuner(params: Search, n_classes: int | None) -> dict[str, Any]:
    from stages.search.trial.space import seeds

    if params.tuner == "greedy":
        first = seeds(params.blocks, params.pretrained)
        if n_classes is None:  # AutoKeras names hyperparameters after the head
            first = [{k.replace("classification", "regression"): s[k] for k in s} for s in first]
        return {"initial_hps": first}
    if params.tuner == "hyperband":
        return {"max_epochs": params.max_epochs}
    return {}


def _fit(
    automodel: "ak.AutoModel", params: Search, train: Shards, val: Shards, n_classes: int | None
) -> None:
    import keras

    automodel.fit(
        # The tuner trains from the shards. AutoKeras just looks at shapes and types, so it gets
        # arrays of the right shape that take no memory.
        np.broadcast_to(np.uint8(0), train.shape),
        targets(train, n_classes),
        validation_data=(np.broadcast_to(np.uint8(0), val.shape), targets(val, n_classes)),
        epochs=params.max_epochs,
        batch_size=params.batch_size,
        callbacks=[
            keras.callbacks.EarlyStopping(
                params.objective,
                patience=params.patience,
                mode="max" if params.objective == "val_accuracy" else "min",
            )
        ],
        verbose=0,
    )


def loss_and_metric(n_classes: int | None) -> tuple[str, str]:
    """By the names that Keras has for them."""
    if n_classes is None:
        return "mse", "mae"
    return "binary_crossentropy" if n_classes == 2 else "categorical_crossentropy", "accuracy"


def targets(shards: Shards, n_classes: int | None) -> np.ndarray:
    """What the network is to say of each picture: (N, 1) values where `n_classes` is None.

    Else labels as AutoKeras takes them without encoding them again: 0/1 for two classes, else
    one-hot; so output k of the network is class k, whichever labels happen to be present."""
    if n_classes is None:
        return shards.values[:, None]
    labels = np.asarray(shards.labels)
    if n_classes == 2:
        return labels[:, None]
    return np.eye(n_classes, dtype=np.float32)[labels]


def pure_keras(model: "keras.Model") -> "keras.Model":
    """The same network with AutoKeras' casting layer as a Keras one: loads without autokeras."""
    import keras

    def plain(layer: keras.Layer) -> keras.Layer:
        if type(layer).__name__ == "CastToFloat32":
            return keras.layers.Rescaling(1.0, name=layer.name, dtype="float32")
        return layer.__class__.from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=plain)
    clone.set_weights(model.get_weights())
    for layer in clone.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()  # `set_weights` alone leaves the mean and variance unused
    return clone
