"""The identity of a search: a digest of all that its trials depend on."""

import keras

from stages.common.closure import ROOT, closure
from stages.common.version import version
from stages.records.trials import OUTSIDE_TRIALS
from stages.search.trial.plan import Plan

TRIAL = ROOT / "stages/search/trial"


def fingerprint(plan: Plan, data: str) -> str:
    """16 hexadecimal digits. `data`: the digest of the shards of train and val.

    Kept trials go on where this is the same. It covers the code in `stages.search.trial` with all
    that it imports from this repository, the versions of AutoKeras, KerasTuner, Keras and its
    backend, the parameters but for `OUTSIDE_TRIALS`, the target, the pretrained files in use, and
    for `face` where the eyes are.
    """
    blocks = plan.blocks
    found = version(
        closure(*(f"stages.search.trial.{path.stem}" for path in TRIAL.glob("[!_]*.py"))),
        ("autokeras", "keras-tuner", "keras", keras.config.backend()),
        (path for block, path in sorted(plan.pretrained.items()) if block in blocks),
        data=data,
        params=plan.params.model_dump(mode="json", exclude={*OUTSIDE_TRIALS, "blocks"}),
        blocks=blocks,
        target=repr(plan.target),
        eyes=repr(plan.eyes) if "face" in blocks else "",
    )
    return found[:16]
