"""AutoKeras' search, trained from shards.

AutoKeras' documented extension point is a tuner class (`tuner=`). `FromShards` is one. It adds what
AutoKeras 3.0 and KerasTuner 1.4 lack: batches from disk, plain integers for Keras, seeded trials, a
search without a second fit at its end, and a repaired oracle (see `oracle`).
"""

import logging
from pathlib import Path
from typing import Any

import autokeras as ak
import keras
import numpy as np
from autokeras.engine.tuner import AutoTuner
from autokeras.utils import utils as ak_utils
from keras_tuner.errors import FailedTrialError

from stages.networks.batches import Batches
from stages.records.objective import Objective
from stages.records.shards import Pictures
from stages.search.trial import hardware
from stages.search.trial.blocks import ImageModel
from stages.search.trial.oracle import repair
from stages.search.trial.plan import Plan
from stages.search.trial.space import seeds, space
from stages.search.trial.watch import Control, Journal, Stopped

log = logging.getLogger(__name__)
NORMALISATION_BYTES = 16 << 20  # float32 pictures that the normalisation layer is fitted on
MAX_CRASHES = 2  # a trial that kills its process so often is given up


class FromShards(AutoTuner):
    """A mixin: it comes before one of AutoKeras' own tuners (see `automodel`)."""

    def __init__(self, *, plan: Plan, journal: Journal, control: Control, **kwargs: Any) -> None:
        self.plan, self.journal, self.control = plan, journal, control
        self.precision = "mixed_float16" if hardware.has_gpu() else "float32"
        super().__init__(**kwargs)
        # AutoKeras builds a default network before the first trial, which may be larger.
        self.limit, self.max_model_size = self.max_model_size, None
        self._prepare_oracle()

    def _prepare_oracle(self) -> None:
        repair(self.oracle, self.plan.params.seed)
        self.journal.catch_up(self.oracle.trials[number] for number in self.oracle.end_order)

    # KerasTuner keeps state of its own in a file named after the tuner, and starts a new search
    # where there is none. The oracle's file serves every process of a search.
    def _get_tuner_fname(self) -> str:
        return self.oracle._get_oracle_fname()

    def save(self) -> None:
        self.oracle.save()

    def reload(self) -> None:
        self.oracle.reload()

    # ---- AutoKeras' methods -------------------------------------------------------------------
    def search(self, epochs: int, callbacks: list, verbose: int, **fit: Any) -> None:
        """AutoKeras' `search` without its end: a second fit, and a copy of the winner."""
        fit.pop("validation_split")
        self.hypermodel.set_fit_args(0, epochs=epochs)
        hp = self.oracle.get_space()
        self._prepare_model_build(hp, **fit)
        self._try_build(hp)
        self.oracle.update_space(hp)
        self._run_trials(epochs=epochs, callbacks=callbacks, verbose=verbose, **fit)

    def _run_trials(self, **fit: Any) -> None:
        super(AutoTuner, self).search(**fit)

    def _prepare_model_build(self, hp: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_model_build(hp, **kwargs)
        for node in self.hypermodel.inputs:  # Keras >= 3.13 refuses AutoKeras' np.int64
            node.shape = tuple(map(int, node.shape))
        for node in self.hypermodel.outputs:
            head = node.in_blocks[0]
            head.shape = tuple(map(int, head.shape))
        return prepared

    def _build_hypermodel(self, hp: Any) -> keras.Model:
        keras.config.set_dtype_policy(self.precision)  # KerasTuner has just cleared the session
        return super()._build_hypermodel(hp)

    def _configure_tensorboard_dir(self, *args: Any, **kwargs: Any) -> None:
        """KerasTuner imports TensorBoard here, which TensorFlow no longer installs."""

    def _build_and_fit_model(self, trial: Any, *, callbacks: list, **kwargs: Any) -> Any:
        """Train one network from the shards. AutoKeras would hold all of x, and x as float32."""
        crashes = self.journal.crashes(trial)
        if len(crashes) >= MAX_CRASHES:
            raise FailedTrialError(f"gave up after {len(crashes)} times: {crashes[-1]}")
        pipeline, (_, y), (_, y_val) = self._prepare_model_build(
            trial.hyperparameters,
            x=kwargs["x"],
            y=kwargs["y"],
            validation_data=kwargs["validation_data"],
        )
        pipeline.save(self._pipeline_path(trial.trial_id))
        # A killed process was most likely out of memory: half as much this time.
        batch_size = max(1, kwargs["batch_size"] >> len(crashes))
        params, seed = self.plan.params, self.seed_of(trial)
        while True:
            model = self._try_build(trial.hyperparameters)
            normalise(model, self.plan.train, seed)
            train = Batches(
                self.plan.train,
                y,
                batch_size,
                samples_per_epoch=params.samples_per_epoch,
                shuffle_seed=seed,
            )
            watch = self.journal.training_begins(model, train, kwargs["epochs"])
            stop, history = self.control.callback(), keras.callbacks.History()
            try:
                model.fit(
                    train,
                    validation_data=Batches(self.plan.val, y_val, batch_size),
                    epochs=kwargs["epochs"],
                    initial_epoch=kwargs.get("initial_epoch", 0),  # Hyperband continues a trial
                    callbacks=[*callbacks, watch, stop, history],
                    verbose=0,
                )
            except ak_utils.oom_exceptions:
                if batch_size == 1 or history.history:  # an epoch has ended
                    raise
                batch_size //= 2
                log.warning("  out of memory: trying again with batch size %d", batch_size)
                continue
            if stop.stopped:
                raise Stopped
            return history

    # ---- KerasTuner's hooks -------------------------------------------------------------------
    def pre_create_trial(self) -> None:
        self.max_model_size = self.limit
        self.control.before_trial()

    def on_trial_begin(self, trial: Any) -> None:
        super().on_trial_begin(trial)
        keras.utils.set_random_seed(self.seed_of(trial))
        self.journal.trial_begins(trial)

    def on_trial_end(self, trial: Any) -> None:
        super().on_trial_end(trial)
        self.journal.trial_ends(self.oracle.get_trial(trial.trial_id))
        self.control.after_trial()

    def seed_of(self, trial: Any) -> int:
        return self.plan.params.seed + int(trial.trial_id)


def automodel(
    plan: Plan,
    folder: Path,
    journal: Journal,
    control: Control,
    mixin: type[FromShards] = FromShards,
) -> ak.AutoModel:
    """AutoKeras' model of `plan`; its trials are kept in `folder`."""
    params = plan.params
    base = ak.auto_model.get_tuner_class(params.tuner)
    own: dict[str, Any] = {}
    if params.tuner == "greedy":
        own["initial_hps"] = seeds(plan.blocks, params.pretrained, plan.target.head_name)
    if params.tuner == "hyperband":
        own["max_epochs"] = params.max_epochs

    def tuner(**kwargs: Any) -> FromShards:
        tuner_class = type(mixin.__name__, (mixin, base), {})
        return tuner_class(plan=plan, journal=journal, control=control, **own, **kwargs)

    return ImageModel(
        plan.target.head(),
        plan.pretrained,
        tuner=tuner,
        hyperparameters=space(plan.blocks, params.pretrained),
        objective=params.objective,
        max_trials=params.max_trials,
        max_model_size=params.max_parameters,
        seed=params.seed,
        directory=folder.parent,
        project_name=folder.name,
    )


def fit(model: ak.AutoModel, plan: Plan) -> None:
    """Run the trials. Raises `Stopped` where `Control` ended them."""
    params, target = plan.params, plan.target
    early = keras.callbacks.EarlyStopping(
        params.objective,
        patience=params.patience,
        mode=Objective(params.objective).direction,
    )
    # The tuner trains from the shards. AutoKeras looks at shapes and types only, so it gets arrays
    # of the right shape that take no memory.
    x, x_val = (np.broadcast_to(np.uint8(0), part.shape) for part in (plan.train, plan.val))
    model.fit(
        x,
        target.targets(plan.train, training=True),
        validation_data=(x_val, target.targets(plan.val, training=False)),
        epochs=params.max_epochs,
        batch_size=params.batch_size,
        callbacks=[early],
        verbose=0,
    )


def normalise(model: keras.Model, train: Pictures, seed: int) -> None:
    """Fit the normalisation layers on a seeded sample of bounded size."""
    n = NORMALISATION_BYTES // (4 * int(np.prod(train.shape[1:])))
    rows = np.random.default_rng(seed).permutation(len(train))[: max(n, 64)]
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt(train.read(rows).astype(np.float32))
