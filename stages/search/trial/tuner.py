"""AutoKeras' tuners, fed from the shards and writing down all they do while they train.

AutoKeras' documented extension point is a tuner class (`tuner=`); `tuner_class` mends in it what
AutoKeras 3.0 does not do by itself: train from batches on disk, give Keras plain integers, seed
each trial, keep each attempt's curves through an interruption, end when asked to, and fit once.
"""

import itertools
import json
import logging
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import autokeras as ak
import keras
import numpy as np
import psutil
from autokeras.engine.tuner import AutoTuner
from autokeras.utils import utils as ak_utils
from keras_tuner.errors import FailedTrialError, FatalError
from tqdm import tqdm

from stages.common.batches import Batches
from stages.common.files import new_file
from stages.records.shards import Shards
from stages.search.journal import attempts
from stages.search.journal.attempts import Attempt
from stages.search.journal.stopwatch import Stopwatch
from stages.search.processes import chief
from stages.search.trial import hardware
from stages.search.trial.space import CONV

log = logging.getLogger(__name__)
NORMALISATION_BYTES = 16 << 20  # float32 pictures that the normalisation layer is fitted on
MAX_CRASHES = 2  # a trial that kills its process so often is given up
# TensorFlow leaks 7 to 285 MB a trial, whatever is done about it; only a new process helps.
GROWTH_BYTES = 150 << 20
MB = 1 << 20


class Stopped(FatalError):  # KerasTuner takes any other error for a failed trial
    """The search ended early because it was asked to."""


class Outgrown(FatalError):
    """This process has grown; the search goes on in a new one."""


@dataclass
class Control:
    """How the search in this process can be ended from outside: another thread sets `stop`."""

    stop: bool = False  # end after the running epoch
    recycle: bool = False  # end after a trial when the process has grown; there is a next process


class _FromShards:
    """What is ours, as a mixin before one of AutoKeras' own tuners."""

    def __init__(
        self, *, train: Shards, val: Shards, samples_per_epoch: int | None, trial_seed: int,
        scratch: Path, control: Control, **kwargs: Any,
    ) -> None:  # fmt: skip
        self.train, self.val, self.samples_per_epoch = train, val, samples_per_epoch
        self.base_seed, self.scratch, self.control = trial_seed, scratch, control
        self.precision = "mixed_float16" if hardware.has_gpu() else "float32"
        self.sizes: list[int] = []  # of this process after each of its trials, bytes
        super().__init__(**kwargs)
        # AutoKeras builds a default network before any trial; the limit is for trials alone.
        self.limit, self.max_model_size = self.max_model_size, None
        if self._is_worker():
            self.oracle.stub = chief.patient_stub()
            return
        self.oracle.max_consecutive_failed_trials = sys.maxsize  # a failure ends just that trial
        self.oracle.verbose = 0
        self._seed_proposals()
        self._save_atomically()
        chief.heal(self.oracle, scratch)
        self._complete_attempts()

    def _seed_proposals(self) -> None:
        """Seed what proposes a trial by its number, so that a search built up in steps is the same
        search."""
        propose = self.oracle.populate_space

        def seeded(trial_id: str) -> dict[str, Any]:
            keras.utils.set_random_seed(self.base_seed + int(trial_id))
            return propose(trial_id)

        self.oracle.populate_space = seeded

    def _save_atomically(self) -> None:
        """KerasTuner writes its state in place: killed in the middle of it, the search is lost."""
        oracle = self.oracle

        def save() -> None:
            with new_file(Path(oracle._get_oracle_fname())) as part:
                part.write_text(json.dumps(oracle.get_state()), encoding="utf-8")

        def save_trial(trial: Any) -> None:
            with new_file(Path(self.get_trial_dir(trial.trial_id), "trial.json")) as part:
                trial.save(str(part))

        oracle.save, oracle._save_trial = save, save_trial

    # One state for the chief, a process alone and whichever comes next: KerasTuner names its file
    # after the tuner, and starts anew when the name is another.
    def _get_tuner_fname(self) -> str:
        return self.oracle._get_oracle_fname()

    def save(self) -> None:
        if not self._is_worker():
            self.oracle.save()

    def reload(self) -> None:
        if not self._is_worker():
            self.oracle.reload()

    def _complete_attempts(self) -> None:
        """Write down the end of trials whose process was killed between KerasTuner's note of it and
        ours."""
        for attempt in attempts.latest(attempts.read(self.scratch)):
            trial = self.trial(attempt["trial"])
            if attempt["status"] == "RUNNING" and trial and trial.trial_id in self.oracle.end_order:
                ended = attempt["epochs"][-1]["time_ms"] if attempt["epochs"] else _now()
                seconds = (ended - attempt["started_ms"]) / 1000
                known = {"ended_ms": ended, "seconds": seconds}
                attempts.write(self.scratch, attempt | _outcome(trial) | known)

    def trial(self, number: int) -> Any:
        found = [t for t in self.oracle.trials.values() if int(t.trial_id) == number]
        return found[0] if found else None

    # ---- AutoKeras' hooks -------------------------------------------------------------------
    def search(self, epochs: int, callbacks: list, verbose: int, **fit: Any) -> None:
        """AutoKeras' `search` without what follows in it: a second fit and copy of the winner."""
        fit.pop("validation_split")
        self.hypermodel.set_fit_args(0, epochs=epochs)
        hp = self.oracle.get_space()
        self._prepare_model_build(hp, **fit)
        self._try_build(hp)
        self.oracle.update_space(hp)
        if chief.is_here():
            self.save()
            chief.serve(self.oracle, self.scratch, self.control)
        else:
            fit |= {"epochs": epochs, "callbacks": callbacks, "verbose": verbose}
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
        """KerasTuner imports TensorBoard here, which TensorFlow no longer brings."""

    def _build_and_fit_model(self, trial: Any, *, callbacks: list, **kwargs: Any) -> Any:
        """Train one network from the shards; AutoKeras would hold all of x, and x as float32."""
        crashes = [a for a in self._earlier(trial) if a["crashed"]]
        if len(crashes) >= MAX_CRASHES:
            raise FailedTrialError(f"gave up after {len(crashes)} times: {crashes[-1]['error']}")
        pipeline, (_, y), (_, y_val) = self._prepare_model_build(
            trial.hyperparameters,
            x=kwargs["x"], y=kwargs["y"], validation_data=kwargs["validation_data"],
        )  # fmt: skip
        pipeline.save(self._pipeline_path(trial.trial_id))
        # A killed process was most likely out of memory: half as much this time.
        batch_size = max(1, kwargs["batch_size"] >> len(crashes))
        while True:
            model = self._try_build(trial.hyperparameters)
            normalise(model, self.train, self.seed_of(trial))
            self.attempt |= {"parameters": model.count_params(), "batch_size": batch_size}
            train = Batches(
                self.train, y, batch_size, samples_per_epoch=self.samples_per_epoch,
                shuffle_seed=self.seed_of(trial),
            )  # fmt: skip
            self.stopwatch = Stopwatch(train)
            self.bar.total, self.cut = kwargs["epochs"] * len(train), False
            try:
                history = model.fit(
                    train,
                    validation_data=Batches(self.val, y_val, batch_size),
                    epochs=kwargs["epochs"],
                    initial_epoch=kwargs.get("initial_epoch", 0),  # Hyperband goes on with a trial
                    callbacks=callbacks,
                    verbose=0,
                )
            except ak_utils.oom_exceptions:
                if batch_size == 1 or self.attempt["epochs"]:
                    raise
                batch_size //= 2
                log.warning("  out of memory: trying again with batch size %d", batch_size)
                continue
            if self.cut:
                self._end_attempt({"status": "STOPPED", **self._best_epoch()})
                raise Stopped
            return history

    # ---- KerasTuner's hooks -----------------------------------------------------------------
    def pre_create_trial(self) -> None:
        self.max_model_size = self.limit
        if self.control.stop:
            raise Stopped
        if self.control.recycle and self.sizes and self.sizes[-1] - self.sizes[0] > GROWTH_BYTES:
            raise Outgrown
        if self._is_worker():
            time.sleep(0.2)  # an idle worker asks again and again

    def on_trial_begin(self, trial: Any) -> None:
        super().on_trial_begin(trial)
        keras.utils.set_random_seed(self.seed_of(trial))
        number, now = int(trial.trial_id), _now()
        attempts.interrupt(self.scratch, "its process was stopped", now, number)
        self.attempt: Attempt = {
            "trial": number,
            "attempt": len(self._earlier(trial)) + 1,
            "status": "RUNNING",
            "hyperparameters": readable(trial.hyperparameters),
            "score": None, "best_epoch": None, "seconds": None, "parameters": None,
            "batch_size": None, "epochs": [], "error": "", "crashed": False,
            "worker": self.tuner_id,
            "memory_mb": None, "started_ms": now, "ended_ms": None,
        }  # fmt: skip
        attempts.write(self.scratch, self.attempt)
        described = ", ".join(f"{k} {v}" for k, v in self.attempt["hyperparameters"].items())
        log.info("trial %d of %d: %s", number + 1, self.oracle.max_trials, described)
        self.bar = tqdm(
            desc=f"trial {number + 1} of {self.oracle.max_trials}", unit=" step", leave=False,
            dynamic_ncols=True, disable=not sys.stderr.isatty() or self._is_worker(),
        )  # fmt: skip
        self.heartbeat = (
            chief.Heartbeat(self.oracle.stub, self.tuner_id, trial, self.control)
            if self._is_worker()
            else None
        )

    def on_epoch_begin(self, trial: Any, model: keras.Model, epoch: int, logs: Any = None) -> None:
        self.stopwatch.epoch_begins()

    def on_batch_end(self, trial: Any, model: keras.Model, batch: int, logs: Any = None) -> None:
        self.stopwatch.step_ends()
        self.bar.update()

    def on_epoch_end(self, trial: Any, model: keras.Model, epoch: int, logs: dict) -> None:
        super().on_epoch_end(trial, model, epoch, logs=logs)
        row = {"epoch": epoch, "time_ms": _now()} | {k: float(v) for k, v in logs.items()}
        row["learning_rate"] = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
        row |= self.stopwatch.epoch_ends() | {"memory_mb": _memory()}
        self.attempt["epochs"].append(row)
        attempts.write(self.scratch, self.attempt)
        self._tell(row)
        if self.control.stop and not model.stop_training:  # patience may have ended it by itself
            self.cut = model.stop_training = True

    def on_trial_end(self, trial: Any) -> None:
        if self.heartbeat:
            self.heartbeat.stop()
        super().on_trial_end(trial)
        self._end_attempt(_outcome(self.oracle.get_trial(trial.trial_id)))
        self.sizes.append(psutil.Process().memory_info().rss)

    # ---- notes ------------------------------------------------------------------------------
    def seed_of(self, trial: Any) -> int:
        return self.base_seed + int(trial.trial_id)

    def _earlier(self, trial: Any) -> list[Attempt]:
        """The attempts at `trial` that are over."""
        found = attempts.read(self.scratch)
        return [a for a in found if a["trial"] == int(trial.trial_id) and a["status"] != "RUNNING"]

    def _best_epoch(self) -> dict[str, Any]:
        """What `SaveBestEpoch` has kept: the first of the best epochs."""
        name, sign = self.oracle.objective.name, _sign(self.oracle.objective)
        best = min(self.attempt["epochs"], key=lambda epoch: sign * epoch[name])
        return {"score": best[name], "best_epoch": best["epoch"]}

    def _end_attempt(self, outcome: dict[str, Any]) -> None:
        ended = _now()
        seconds = (ended - self.attempt["started_ms"]) / 1000
        self.attempt |= outcome | {"ended_ms": ended, "seconds": seconds, "memory_mb": _memory()}
        attempts.write(self.scratch, self.attempt)
        self.bar.close()
        log.info(
            "trial %d %s in %.0f s; %s",
            *(self.attempt["trial"] + 1, self.attempt["status"].lower(), seconds, self._so_far()),
        )

    def _tell(self, row: dict[str, float]) -> None:
        """An epoch's results, beside the bar in a terminal or as a line of a log file."""
        names = ("loss", "accuracy", "mae", "val_loss", "val_accuracy", "val_mae")
        metrics = ", ".join(f"{name} {row[name]:.4f}" for name in names if name in row)
        epoch = f"epoch {row['epoch'] + 1} of at most {self.hypermodel.epochs}"
        if not self.bar.disable:
            self.bar.set_postfix_str(f"{epoch}: {metrics}; {self._so_far()}", refresh=False)
            return
        log.info(
            "  trial %d, %s: %s; %.1f s, %.0f pictures/s; %s",
            *(self.attempt["trial"] + 1, epoch, metrics, row["seconds"]),
            *(row["pictures_per_second"], self._so_far()),
        )

    def _so_far(self) -> str:
        """The best score, and the most that the search can still take."""
        found = attempts.latest(attempts.read(self.scratch))
        ended = [a for a in found if a["status"] in ("COMPLETED", "FAILED")]
        sign = _sign(self.oracle.objective)
        scores = [sign * a["score"] for a in ended if a["score"] is not None]
        best = f"best so far {sign * min(scores):.4f}" if scores else "none has ended yet"
        epochs = [e["seconds"] for a in found for e in a["epochs"]]
        done = sum(len(a["epochs"]) for a in found if a["status"] == "RUNNING")
        left = (self.oracle.max_trials - len(ended)) * self.hypermodel.epochs - done
        if not epochs or left <= 0:
            return best
        return f"{best}; at most {_duration(left * np.mean(epochs))} to go"


def tuner_class(name: str, **ours: Any) -> Callable[..., ak.AutoModel]:
    """AutoKeras' tuner `name` (greedy, random, bayesian, hyperband), fed from shards."""
    base = ak.auto_model.get_tuner_class(name)

    class FromShards(_FromShards, base):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**ours, **kwargs)

    return FromShards


def normalise(model: keras.Model, train: Shards, seed: int) -> None:
    """Fit the normalisation layers on a seeded sample of bounded size."""
    n = NORMALISATION_BYTES // (4 * int(np.prod(train.shape[1:])))
    rows = np.random.default_rng(seed).permutation(len(train))[: max(n, 64)]
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.adapt(train.read(rows).astype(np.float32))


def readable(hyperparameters: Any) -> dict[str, Any]:
    """The hyperparameters that shape the network, by the last part of AutoKeras' long names."""
    values = {
        p.name: hyperparameters.values[p.name]
        for p in hyperparameters.space
        if hyperparameters.is_active(p) and p.name in hyperparameters.values
    }
    short = {name.split("/")[-1]: v for name, v in values.items() if "/filters_" not in name}
    head_dropout = next((name for name in values if name.endswith("_head_1/dropout")), None)
    if head_dropout:  # the one short name that a block and the head share
        short["head_dropout"] = values[head_dropout]
        short.pop("dropout")
        if CONV + "dropout" in values:
            short["dropout"] = values[CONV + "dropout"]
    if "num_layers" in short:
        shape = range(short["num_blocks"]), range(short["num_layers"])
        filters = [values[CONV + f"filters_{i}_{j}"] for i, j in itertools.product(*shape)]
        short["filters"] = "-".join(map(str, filters))
    return short


def _outcome(trial: Any) -> dict[str, Any]:
    return {
        "status": "COMPLETED" if trial.status == "COMPLETED" else "FAILED",
        "score": trial.score,
        "best_epoch": trial.best_step if trial.score is not None else None,
        "error": trial.message or "",
    }


def _sign(objective: Any) -> int:
    return -1 if objective.direction == "max" else 1


def _memory() -> float:
    """The most this process has held so far, in MB."""
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, kilobytes elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _now() -> int:
    return int(time.time() * 1000)
