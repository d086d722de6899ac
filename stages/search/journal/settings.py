"""Hyperparameters for people."""

import itertools
from typing import Any

from stages.records.trials import Setting
from stages.search.trial.space import CONV


def settings(hyperparameters: Any) -> dict[str, Setting]:
    """KerasTuner's hyperparameters that shape the network, by the last part of their long names."""
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
