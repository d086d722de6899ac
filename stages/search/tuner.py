"""AutoKeras' tuners, fed from the shards and reporting while they train.

AutoKeras' documented extension point is a tuner class (`tuner=`); `tuner_class` mends in it what
AutoKeras 3.0 does not do by itself: train from batches on disk, give Keras plain integers, seed
each trial, report live, and remember each trial's curves through an interruption.
"""

import itertools
import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import autokeras as ak
import keras
import numpy as np
from autokeras.utils import utils as ak_utils

from stages.common.files import new_file
from stages.common.shards import Shards
from stages.search.batches import Batches
from stages.search.space import CONV, HEAD_DROPOUT

log = logging.getLogger(__name__)
NORMALISATION_BYTES = 64 << 20  # float32 pictures that the normalisation layer is fitted on


class Listener(Protocol):
    """Told what happens to a trial (a row of trials.json) while it happens."""

    def trial_begins(self, trial: dict[str, Any]) -> None: ...
    def epoch_ends(self, trial: dict[str, Any], epoch: dict[str, float]) -> None: ...
    def trial_ends(self, trial: dict[str, Any]) -> None: ...


class _FromShards:
    """What is ours, as a mixin before one of AutoKeras' own tuners."""

    def __init__(
        self, *, train: Shards, val: Shards, samples_per_epoch: int | None, listener: Listener,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        self.train, self.val, self.listener = train, val, listener
        self.samples_per_epoch = samples_per_epoch
        super().__init__(**kwargs)
        self.oracle.max_consecutive_failed_trials = self.oracle.max_trials  # a failure ends a trial
        # AutoKeras builds a default network before any trial; the limit is for trials alone.
        self.limit, self.max_model_size = self.max_model_size, None

    def record_path(self, trial_id: str) -> Path:
        return Path(self.get_trial_dir(trial_id)) / "record.json"

    # ---- AutoKeras' hooks -------------------------------------------------------------------
    def _prepare_model_build(self, hp: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_model_build(hp, **kwargs)
        for node in self.hypermodel.inputs:  # Keras >= 3.13 refuses AutoKeras' np.int64
            node.shape = tuple(map(int, node.shape))
        for node in self.hypermodel.outputs:
            head = node.in_blocks[0]
            head.shape = tuple(map(int, head.shape))
        return prepared

    def _configure_tensorboard_dir(self, *args: Any, **kwargs: Any) -> None:
        """KerasTuner imports TensorBoard here, which TensorFlow no longer brings."""

    def _build_and_fit_model(self, trial: Any, *, callbacks: list, **kwargs: Any) -> Any:
        """Train one network from the shards; AutoKeras would hold all of x, and x as float32."""
        pipeline, (_, y), (_, y_val) = self._prepare_model_build(
            trial.hyperparameters,
            x=kwargs["x"], y=kwargs["y"], validation_data=kwargs["validation_data"],
        )  # fmt: skip
        pipeline.save(self._pipeline_path(trial.trial_id))
        batch_size = kwargs["batch_size"]
        while True:
            model = self._try_build(trial.hyperparameters)
            self._normalise(model)
            self.record["parameters"] = model.count_params()
            log.info("  %s parameters", f"{model.count_params():,}")
            train = Batches(
                self.train, y, batch_size,
                shuffle_seed=self.trial_seed, samples_per_epoch=self.samples_per_epoch, workers=2,
            )  # fmt: skip
            try:
                return model.fit(
                    train,
                    validation_data=Batches(self.val, y_val, batch_size),
                    epochs=kwargs["epochs"],
                    initial_epoch=kwargs.get("initial_epoch", 0),  # Hyperband goes on with a trial
                    callbacks=callbacks,
                    verbose=1 if sys.stderr.isatty() else 2,
                )
            except ak_utils.oom_exceptions:
                if batch_size == 1:
                    raise
                batch_size //= 2
                log.warning("  out of memory: trying again with batch size %d", batch_size)

    def _normalise(self, model: keras.Model) -> None:
        """Fit the normalisation layer on a seeded sample of bounded size."""
        n = NORMALISATION_BYTES // (4 * int(np.prod(self.train.shape[1:])))
        rows = np.random.default_rng(self.trial_seed).permutation(len(self.train))[: max(n, 64)]
        for layer in model.layers:
            if isinstance(layer, keras.layers.Normalization):
                layer.adapt(self.train.read(rows).astype(np.float32))

    # ---- KerasTuner's hooks -----------------------------------------------------------------
    def pre_create_trial(self) -> None:
        """Seed what proposes and what trains a trial by its number, so that a search built up in
        steps is the same search."""
        self.max_model_size = self.limit
        self.trial_seed = self.oracle.seed + len(self.oracle.trials)
        keras.utils.set_random_seed(self.trial_seed)

    def on_trial_begin(self, trial: Any) -> None:
        super().on_trial_begin(trial)
        # A trial that is run again after an interruption was counted already.
        number = self.oracle.start_order.index(trial.trial_id)
        self.trial_seed = self.oracle.seed + number
        keras.utils.set_random_seed(self.trial_seed)
        self.record = {
            "trial": number,
            "status": "RUNNING",
            "hyperparameters": readable(trial.hyperparameters),
            "score": None, "best_epoch": None, "seconds": None, "parameters": None,
            "epochs": [], "error": "",
            "started_ms": _now(), "ended_ms": None,
        }  # fmt: skip
        described = ", ".join(f"{k} {v}" for k, v in self.record["hyperparameters"].items())
        log.info("trial %d of %d: %s", number + 1, self.oracle.max_trials, described)
        self.listener.trial_begins(self.record)

    def on_epoch_end(self, trial: Any, model: keras.Model, epoch: int, logs: dict) -> None:
        super().on_epoch_end(trial, model, epoch, logs=logs)
        row = {"epoch": epoch, "time_ms": _now()} | {k: float(v) for k, v in logs.items()}
        self.record["epochs"].append(row)
        self.listener.epoch_ends(self.record, row)

    def on_trial_end(self, trial: Any) -> None:
        try:
            super().on_trial_end(trial)  # raises when all trials failed
        finally:
            ended = self.oracle.get_trial(trial.trial_id)
            self.record |= {
                "status": "COMPLETED" if ended.status == "COMPLETED" else "FAILED",
                "score": ended.score,
                "best_epoch": ended.best_step if ended.score is not None else None,
                "error": ended.message or "",
                "ended_ms": _now(),
                "seconds": (_now() - self.record["started_ms"]) / 1000,
            }
            with new_file(self.record_path(trial.trial_id)) as part:
                part.write_text(json.dumps(self.record), encoding="utf-8")
            self.listener.trial_ends(self.record)
            scores = [t.score for t in self.oracle.get_best_trials(1) if t.score is not None]
            so_far = f"best so far {scores[0]:.4f}" if scores else "no good one so far"
            log.info("  %s in %.0f s; %s", ended.status, self.record["seconds"], so_far)


def tuner_class(name: str, **ours: Any) -> Callable[..., ak.AutoModel]:
    """AutoKeras' tuner `name` (greedy, random, bayesian, hyperband), fed from shards."""
    base = ak.auto_model.get_tuner_class(name)

    class FromShards(_FromShards, base):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**ours, **kwargs)

    return FromShards


def readable(hyperparameters: Any) -> dict[str, Any]:
    """The hyperparameters that shape the network, by the last part of AutoKeras' long names."""
    values = {
        p.name: hyperparameters.values[p.name]
        for p in hyperparameters.space
        if hyperparameters.is_active(p) and p.name in hyperparameters.values
    }
    short = {name.split("/")[-1]: v for name, v in values.items() if "/filters_" not in name}
    if HEAD_DROPOUT in values:  # the one short name that a block and the head share
        short["head_dropout"] = values[HEAD_DROPOUT]
        short.pop("dropout")
        if CONV + "dropout" in values:
            short["dropout"] = values[CONV + "dropout"]
    if "num_layers" in short:
        shape = range(short["num_blocks"]), range(short["num_layers"])
        filters = [values[CONV + f"filters_{i}_{j}"] for i, j in itertools.product(*shape)]
        short["filters"] = "-".join(map(str, filters))
    return short


def _now() -> int:
    return int(time.time() * 1000)
