"""All baselines of a task, each fitted anew only when something that decides it has changed."""

import importlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.baseline.system import Job, module_file
from stages.common import middle
from stages.common.backend import import_keras
from stages.common.errors import UserError
from stages.common.files import digest_folders, new_folder
from stages.common.reuse import version
from stages.records import shards
from stages.records.params import Baseline, Network, Weights
from stages.records.shards import Shards

log = logging.getLogger(__name__)
# Each baseline is the `fit` of the module of its name; what its result hangs on besides that.
NETWORK = ("network",)
MODULES = {
    "majority": (),
    "hog": ("linear",),
    "lab": ("linear",),
    "sorting_hat_cnn": NETWORK,
    "age_cnn": NETWORK,
    "idol_dnn": NETWORK,
    "tone_vgg": (*NETWORK, "vgg"),
    "age_vgg16": (*NETWORK, "vgg"),
}
PACKAGES = {
    "majority": ("numpy",),
    "classical": ("numpy", "scikit-learn", "opencv-python-headless"),
    "network": ("numpy", "keras"),
}


@dataclass(frozen=True)
class Result:
    record: dict[str, Any]  # a row of baselines.json
    probabilities: dict[str, np.ndarray]  # of val, test, wild, float (N, K); none if it failed


def baselines(
    params: Baseline, weights: Weights, parts: Mapping[str, Shards], n_classes: int, scratch: Path
) -> list[Result]:
    """The most frequent class, the linear model, and the networks of `params`.

    A network that fails (not a number, out of memory) is reported by its record's `error` and
    stops no other; it is tried again the next time. What has ended is kept in `scratch`.
    Raises `UserError` if all but the most frequent class fail, for a network named twice, and for
    pictures too small for one.
    """
    names = [network.name for network in params.networks]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"baseline.networks has {', '.join(sorted(twice))} twice; keep one of each")
    data = digest_folders(*(part.folder for part in parts.values()))
    imagenet = None
    if any("vgg" in MODULES[name] for name in names):
        import_keras()
        from stages.baseline import vgg

        imagenet = vgg.imagenet(weights)
    systems: list[tuple[str, str, Network | None]] = [
        ("majority", "majority", None), (params.classical, "classical", None),
        *((network.name, "network", network) for network in params.networks),
    ]  # fmt: skip
    results = []
    for name, kind, network in systems:
        pretrained = imagenet if "vgg" in MODULES[name] else None
        job = Job(dict(parts), n_classes, params.seed, network, pretrained)
        folder = scratch / key(name, kind, job, data)
        results.append(_kept(folder) or _fit(name, kind, job, folder))
    errors = [r.record for r in results if r.record["error"]]
    if len(errors) == len(results) - 1:
        said = "\n".join(f"  {each['name']}: {each['error']}" for each in errors)
        raise UserError(f"all baselines but the most frequent class failed:\n{said}")
    return results


def key(name: str, kind: str, job: Job, data: str) -> str:
    """A hash of what decides a baseline: its parameters, code, libraries, weights and data."""
    code = [module_file(module) for module in (name, *MODULES[name], "system", "baseline")]
    common, packages = [shards, middle], list(PACKAGES[kind])
    decided_by = {"name": name, "data": data, "n_classes": job.n_classes}
    if job.network:
        from stages.common import batches, predict

        common += [batches, predict]
        packages += [import_keras().backend.backend()]
        decided_by |= {"network": job.network.model_dump(), "seed": job.seed}
    code += [Path(module.__file__) for module in common]
    return version(code, packages, [job.pretrained] if job.pretrained else [], **decided_by)[:40]


def _kept(folder: Path) -> Result | None:
    """What an earlier run has left; a folder that is there is whole."""
    if not folder.is_dir():
        return None
    record = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    log.info("%s: as before", record["name"])
    return Result(record, dict(np.load(folder / "probabilities.npz")))


def _fit(name: str, kind: str, job: Job, folder: Path) -> Result:
    if kind == "network":
        import_keras()
    module = importlib.import_module(f"stages.baseline.{name}")
    record = {"name": name, "kind": kind, "about": module.ABOUT}
    started, began = _now(), time.perf_counter()
    try:
        fitted, error = module.fit(job), None
    except UserError:
        raise
    except Exception as raised:
        log.debug("%s failed", name, exc_info=raised)
        fitted, error = None, f"{type(raised).__name__}: {raised}"
        log.warning("%s failed: %s", name, error)
    settings = job.network.model_dump(exclude={"name"}) if job.network else {}
    record |= {
        "seconds": round(time.perf_counter() - began, 3),
        "parameters": fitted.parameters if fitted else None,
        "weights": _weights(job),
        "hyperparameters": (fitted.hyperparameters if fitted else settings) | _seed(kind, job),
        "epochs": fitted.epochs if fitted else [],
        "started_ms": started,
        "ended_ms": _now(),
        "error": error,
    }
    if not fitted:
        return Result(record, {})
    with new_folder(folder) as out:
        np.savez(out / "probabilities.npz", **fitted.probabilities)
        (out / "record.json").write_text(json.dumps(record), encoding="utf-8")
    return Result(record, fitted.probabilities)


def _weights(job: Job) -> str:
    if job.network is None:
        return "none"
    return "ImageNet" if job.pretrained else "from scratch"


def _seed(kind: str, job: Job) -> dict[str, int]:
    return {"seed": job.seed} if kind == "network" else {}  # the others leave nothing to chance


def _now() -> int:
    return int(time.time() * 1000)
