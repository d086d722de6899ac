"""What AutoKeras and KerasTuner must have for our subclasses and repairs to take effect.

Most of it is private. A method that another version renames would be overridden in vain.
"""

import inspect

import autokeras as ak
import keras
import keras_tuner
import pytest
from autokeras.engine.tuner import AutoTuner
from keras_tuner.src.engine.base_tuner import BaseTuner
from keras_tuner.src.engine.oracle import Oracle
from keras_tuner.src.engine.tuner import Tuner

from stages.search.control import Outgrown
from stages.search.processes.driver import Driver
from stages.search.trial.blocks import ImageBlock, ImageModel
from stages.search.trial.heads import FineHead, RegressionHead
from stages.search.trial.tuner import FromShards
from stages.search.trial.watch import Stopped

OURS = {  # methods of our own, that override nothing
    FromShards: {
        *("_prepare_oracle", "_run_trials", "seed_of"),
        *("_refuse_large", "_keep_answers", "_trial", "answers", "network", "final_fit"),
    },
    Driver: {
        *("_fill", "_start", "_goes_on_from", "_listen", "_take", "_again", "_stop"),
        *("_leave_lost_machines", "_end_those_without_news"),
    },
    ImageBlock: {"_choose"},
    ImageModel: set(),
    FineHead: set(),
    RegressionHead: set(),
}


@pytest.mark.parametrize("subclass", OURS)
def test_each_overridden_method_is_there_and_takes_the_same_arguments(subclass):
    for name, method in vars(subclass).items():
        if not inspect.isfunction(method) or name in OURS[subclass] or name.startswith("__"):
            continue
        overridden = getattr(subclass.__base__, name)
        names = list(inspect.signature(overridden).parameters)
        for parameter in list(inspect.signature(method).parameters.values())[1:]:
            variadic = parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
            known = parameter.name in names or {"kwargs", "fit_kwargs"} & set(names)
            assert variadic or known, f"{subclass.__name__}.{name}: {parameter.name}"


@pytest.mark.parametrize("name", ["greedy", "random", "bayesian", "hyperband"])
def test_our_mixin_comes_before_each_of_autokeras_tuners(name):
    base = ak.auto_model.get_tuner_class(name)
    order = type("Both", (FromShards, base), {}).__mro__
    assert order.index(FromShards) < order.index(base) < order.index(AutoTuner)
    assert order.index(AutoTuner) < order.index(Tuner) < order.index(BaseTuner)


def test_the_oracle_has_the_state_and_methods_that_are_repaired():
    oracle = Oracle(objective="val_loss", max_trials=1)
    for state in ("trials", "start_order", "end_order", "_retry_queue", "ongoing_trials"):
        assert hasattr(oracle, state)
    for method in ("populate_space", "save", "_save_trial", "get_state"):
        assert callable(getattr(oracle, method))
    for path in ("_get_oracle_fname", "_get_trial_dir"):
        assert callable(getattr(oracle, path))
    assert oracle.max_consecutive_failed_trials == 3 and oracle.verbose in (0, 1)


def test_a_replaced_save_is_the_one_that_is_called(tmp_path):
    """`save`, `_save_trial` and `populate_space` are replaced on the instance."""
    oracle = Oracle(objective="val_loss", max_trials=1)
    oracle._set_project_dir(tmp_path, "project")
    oracle.verbose, called = 0, []
    oracle.save = lambda: called.append("save")
    oracle._save_trial = lambda trial: called.append("trial")
    oracle.populate_space = lambda trial_id: {"status": "RUNNING", "values": {}}
    trial = oracle.create_trial("alone")
    assert (trial.trial_id, called) == ("0", ["trial", "save"])
    assert trial.trial_id in oracle.start_order and oracle.ongoing_trials["alone"] is trial


def test_the_search_ends_on_our_errors_and_not_on_others():
    source = inspect.getsource(BaseTuner._try_run_and_update_trial)
    assert "errors.FatalError" in source
    assert issubclass(Stopped, keras_tuner.errors.FatalError)
    assert issubclass(Outgrown, keras_tuner.errors.FatalError)


def test_pretrained_blocks_have_constructors_that_take_weights():
    for block in (ak.EfficientNetBlock, ak.ResNetBlock, ak.XceptionBlock):
        for network in block().models.values():
            assert {"weights", "include_top"} <= set(inspect.signature(network).parameters)
    source = inspect.getsource(type(ak.ResNetBlock()).__mro__[1].build)
    assert 'self.models[version](weights="imagenet", include_top=False)' in source


def test_autokeras_casting_layer_has_the_name_that_is_replaced():
    assert ak.keras_layers.CastToFloat32.__name__ == "CastToFloat32"
    assert issubclass(ak.keras_layers.CastToFloat32, keras.layers.Layer)
