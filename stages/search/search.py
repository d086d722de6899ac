"""AutoKeras' `ImageClassifier` search over the training shards, judged on the validation part."""

import hashlib
import importlib.metadata
import json
import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.common.errors import UserError
from stages.common.params import Search
from stages.common.shards import Shards

if TYPE_CHECKING:
    import keras

    from stages.search.tuner import Listener

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SearchResult:
    model: "keras.Model"  # pure Keras: `uint8` pictures in, class probabilities out
    best: int  # the number of the winning trial
    trials: list[dict[str, Any]]  # every trial, failed ones too


class Silent:
    """A listener for callers who log nothing."""

    def trial_begins(self, trial: dict[str, Any]) -> None: ...
    def epoch_ends(self, trial: dict[str, Any], epoch: dict[str, float]) -> None: ...
    def trial_ends(self, trial: dict[str, Any]) -> None: ...


def fingerprint(params: Search, *folders: Path) -> str:
    """What a search depends on, `max_trials` apart: data, parameters, this code, AutoKeras."""
    digest = hashlib.sha256()
    for file in sorted(f for folder in folders for f in folder.iterdir()):
        with file.open("rb") as stream:
            digest.update(file.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    digest.update(params.model_dump_json(exclude={"max_trials"}).encode())
    for code in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(code.read_bytes())
    for package in ("autokeras", "keras-tuner", "keras"):
        digest.update(importlib.metadata.version(package).encode())
    return digest.hexdigest()[:16]


def search(
    params: Search,
    train: Shards,
    val: Shards,
    n_classes: int,
    scratch: Path,
    listener: "Listener | None" = None,
) -> SearchResult:
    """Try `params.max_trials` networks and return the one with the best validation objective.

    Trials live in `scratch`, which must belong to exactly this search (see `fingerprint`): those
    that ended are kept, an interrupted one is run again, and more are added when `max_trials`
    has grown. Raises `UserError` when every trial failed.
    """
    import autokeras as ak

    from stages.search.space import space
    from stages.search.tuner import tuner_class

    tuner = tuner_class(
        params.tuner,
        train=train,
        val=val,
        samples_per_epoch=params.samples_per_epoch,
        listener=listener or Silent(),
        hyperparameters=space(params.blocks, params.pretrained),
        **_of_this_tuner(params),
    )
    classifier = ak.ImageClassifier(
        num_classes=n_classes,
        tuner=tuner,
        objective=params.objective,
        max_trials=params.max_trials,
        max_model_size=params.max_model_size,
        seed=params.seed,
        directory=scratch.parent,
        project_name=scratch.name,
    )
    try:
        _fit(classifier, params, train, val, n_classes)
    except RuntimeError as error:  # KerasTuner's, after the last of nothing but failures
        if _completed(_records(scratch)):
            raise
        log.debug("search ended", exc_info=error)
    trials = [t for t in _records(scratch) if t["trial"] < params.max_trials]
    if not _completed(trials):
        errors = "\n".join(t["error"].strip() for t in trials)
        raise UserError(f"all {len(trials)} trials failed; the search has no model:\n{errors}")
    pick = max if params.objective == "val_accuracy" else min
    best = pick(_completed(trials), key=lambda trial: trial["score"])["trial"]
    oracle = classifier.tuner.oracle
    with warnings.catch_warnings():  # the optimizer's state is of no use any more
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer")
        model = classifier.tuner.load_model(oracle.trials[oracle.start_order[best]])
    return SearchResult(pure_keras(model), best, trials)


def _of_this_tuner(params: Search) -> dict[str, Any]:
    from stages.search.space import seeds

    if params.tuner == "greedy":
        return {"initial_hps": seeds(params.blocks, params.pretrained)}
    if params.tuner == "hyperband":
        return {"max_epochs": params.max_epochs}
    return {}


def _fit(classifier: Any, params: Search, train: Shards, val: Shards, n_classes: int) -> None:
    import keras

    classifier.fit(
        # The tuner trains from the shards. AutoKeras just looks at shapes and types, so it gets
        # arrays of the right shape that take no memory.
        np.broadcast_to(np.uint8(0), train.shape),
        _targets(train, n_classes),
        validation_data=(np.broadcast_to(np.uint8(0), val.shape), _targets(val, n_classes)),
        epochs=params.max_epochs,
        batch_size=params.batch_size,
        # Given validation data and an early stopping, AutoKeras does not train the winner again.
        callbacks=[
            keras.callbacks.EarlyStopping(
                params.objective,
                patience=params.patience,
                mode="max" if params.objective == "val_accuracy" else "min",
            )
        ],
        verbose=0,
    )


def _targets(shards: Shards, n_classes: int) -> np.ndarray:
    """Labels as AutoKeras takes them without encoding them again: 0/1 for two classes, else
    one-hot; so output k of the network is class k, whichever labels happen to be present."""
    labels = np.asarray(shards.labels)
    if n_classes == 2:
        return labels[:, None]
    return np.eye(n_classes, dtype=np.float32)[labels]


def _records(scratch: Path) -> list[dict[str, Any]]:
    records = [json.loads(f.read_text("utf-8")) for f in scratch.glob("trial_*/record.json")]
    return sorted(records, key=lambda record: record["trial"])


def _completed(trials: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [trial for trial in trials if trial["status"] == "COMPLETED"]


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
