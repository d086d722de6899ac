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

from stages.networks.predict import outputs
from stages.records.objective import Objective
from stages.records.trials import Attempt
from stages.search.trial import hardware
from stages.search.trial.answers import ANSWERS, Answers
from stages.search.trial.blocks import ImageModel
from stages.search.trial.lesson import Lessons
from stages.search.trial.oracle import repair
from stages.search.trial.plan import Plan
from stages.search.trial.space import seeds, space
from stages.search.trial.watch import Control, Journal, Stopped

log = logging.getLogger(__name__)
MAX_CRASHES = 2  # a trial that kills its process so often is given up


class FromShards(AutoTuner):
    """A mixin: it comes before one of AutoKeras' own tuners (see `automodel`)."""

    def __init__(self, *, plan: Plan, journal: Journal, control: Control, **kwargs: Any) -> None:
        self.plan, self.journal, self.control = plan, journal, control
        self.precision = "mixed_float16" if hardware.has_gpu() else "float32"
        super().__init__(**kwargs)
        self.lessons = Lessons(plan, journal)
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
        data = {name: kwargs[name] for name in ("x", "y", "validation_data")}
        pipeline, _, _ = self._prepare_model_build(trial.hyperparameters, **data)
        pipeline.save(self._pipeline_path(trial.trial_id))
        seed = self.seed_of(trial)
        halvings = len(crashes)  # a killed process was most likely out of memory
        while True:
            network = self._try_build(trial.hyperparameters)
            self._refuse_large(network)
            lesson = self.lessons.of(network, seed, halvings)
            stop, history = self.control.callback(), keras.callbacks.History()
            try:
                lesson.fit(
                    trial.hyperparameters.values,
                    epochs=kwargs["epochs"],
                    initial_epoch=kwargs.get("initial_epoch", 0),  # Hyperband continues a trial
                    seed=seed,
                    journal=self.journal,
                    callbacks=[*callbacks, stop, history],
                )
            except ak_utils.oom_exceptions:
                if lesson.batch_size == 1 or history.history:  # an epoch has ended
                    raise
                halvings += 1
                log.warning("  out of memory: trying again with half the batch size")
                continue
            if stop.stopped:
                raise Stopped
            self._keep_answers(trial, network)
            return history

    def _refuse_large(self, network: keras.Model) -> None:
        """AutoKeras counts all weights; frozen ones cost no training."""
        trained = sum(int(np.prod(weights.shape)) for weights in network.trainable_weights)
        if trained > self.plan.params.max_parameters:
            raise FailedTrialError(f"Oversized model: {trained} parameters that train")

    def _keep_answers(self, trial: Any, network: keras.Model) -> None:
        """Write down what the best epoch's network says of val, for the ensemble."""
        best = Path(self._get_checkpoint_fname(trial.trial_id))
        if not best.exists():  # no epoch had a finite score
            return
        exam = self.lessons.exam(network)
        exam.learner.load_weights(best)
        plain, mirrored = (outputs(exam.learner, view).raw for view in (exam.plain, exam.mirrored))
        answers = Answers.of(network, exam.parts, plain, mirrored)
        ANSWERS.write(Path(self.get_trial_dir(trial.trial_id)), answers)

    # ---- For the result -----------------------------------------------------------------------
    def answers(self, number: int) -> Answers:
        """What the network of trial `number` says of val."""
        trial = self._trial(number)
        folder = Path(self.get_trial_dir(trial.trial_id))
        if not ANSWERS.path(folder).exists():  # it was stopped
            self._keep_answers(trial, self._try_build(trial.hyperparameters))
        return ANSWERS.read(folder)

    def network(self, number: int) -> keras.Model:
        """The network of a trial's best epoch."""
        trial = self._trial(number)
        network = self._try_build(trial.hyperparameters)
        learner = self.lessons.exam(network).learner
        learner.load_weights(self._get_checkpoint_fname(trial.trial_id))
        return network

    def final_fit(self, attempt: Attempt) -> keras.Model:
        """The network of a trial, trained as it was, from the start, on train and val.

        No validation part is left: it ends after as many epochs as the trial needed for its best.
        """
        assert attempt.best_epoch is not None and attempt.batch_size is not None
        trial = self._trial(attempt.trial)
        seed = self.seed_of(trial)
        keras.utils.set_random_seed(seed)
        network = self._try_build(trial.hyperparameters)
        self.lessons.joined(network, seed, attempt.batch_size).fit(
            trial.hyperparameters.values,
            epochs=self.plan.params.max_epochs,
            until=attempt.best_epoch + 1,
            seed=seed,
            journal=self.journal,
            callbacks=[],
        )
        return network

    def _trial(self, number: int) -> Any:
        return next(t for t in self.oracle.trials.values() if int(t.trial_id) == number)

    # ---- KerasTuner's hooks -------------------------------------------------------------------
    def pre_create_trial(self) -> None:
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
    tune = hardware.has_gpu()
    own: dict[str, Any] = {}
    if params.tuner == "greedy":
        own["initial_hps"] = seeds(plan.blocks, params.pretrained, tune, plan.target.head_name)
    if params.tuner == "hyperband":
        own["max_epochs"] = params.max_epochs

    def tuner(**kwargs: Any) -> FromShards:
        tuner_class = type(mixin.__name__, (mixin, base), {})
        return tuner_class(plan=plan, journal=journal, control=control, **own, **kwargs)

    return ImageModel(
        plan.target.head(),
        plan.pretrained,
        plan.eyes,
        tuner=tuner,
        hyperparameters=space(plan.blocks, params.pretrained, tune),
        objective=params.objective,
        max_trials=params.max_trials,
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
