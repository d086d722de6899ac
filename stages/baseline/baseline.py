"""All baselines of a task, each fitted anew only when something that decides it has changed."""

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stages.baseline.system import JUDGED, Fitted, Job
from stages.baseline.systems import System, systems
from stages.common.clock import now_ms
from stages.common.closure import closure
from stages.common.errors import UserError
from stages.common.files import digest_folders, new_folder
from stages.common.version import version
from stages.records import params as schema
from stages.records.baselines import Baseline
from stages.records.json_file import JsonFile
from stages.records.predictions import BaselinePrediction
from stages.records.shards import Shards
from stages.records.weights import WEIGHTS

RECORD = JsonFile("record.json", Baseline)  # of a result that is kept
PROBABILITIES = "probabilities.npz"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Result:
    record: Baseline
    probabilities: dict[str, np.ndarray]  # of `JUDGED`, float (N, K); empty if it failed


def baselines(
    params: schema.Baseline,
    weights: Path,
    parts: Mapping[str, Shards],
    n_classes: int,
    scratch: Path,
) -> list[Result]:
    """The most frequent class, the linear model, and the networks of `params`.

    `weights`: data/weights/<task>. A network that fails (not a number, out of memory) is reported
    by its record's `error` and stops no other; it is tried again the next time. What has ended is
    kept in `scratch`.
    Raises `UserError` if all but the most frequent class fail, and for a network named twice.
    """
    names = [network.name for network in params.networks]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"baseline.networks has {', '.join(sorted(twice))} twice; keep one of each")
    data = digest_folders(*(part.folder for part in parts.values()))
    pretrained = _pretrained(params.networks, weights)
    results = []
    for system in systems(params):
        job = Job(dict(parts), n_classes, params.seed, pretrained.get(system.name))
        folder = scratch / key(system, job, data)
        result = _kept(folder) or _fit(system, job, folder)
        _show(result, parts)
        results.append(result)
    errors = [result.record for result in results if result.record.error]
    if len(errors) == len(results) - 1:
        said = "\n".join(f"  {each.name}: {each.error}" for each in errors)
        raise UserError(f"all baselines but the most frequent class failed:\n{said}")
    return results


def answers(
    results: list[Result], parts: Mapping[str, Shards], classes: list[str]
) -> list[BaselinePrediction]:
    """A row a baseline and picture of `JUDGED`."""
    ids = {part: list(parts[part].index()["id"]) for part in JUDGED}
    return [
        BaselinePrediction(
            model=result.record.name,
            id=id,
            part=part,
            label=classes[label],
            predicted=classes[row.argmax()],
            probabilities=dict(zip(classes, map(float, row), strict=True)),
        )
        for result in results
        for part in JUDGED
        if part in result.probabilities
        for id, label, row in zip(
            ids[part], parts[part].labels, result.probabilities[part], strict=True
        )
    ]


def key(system: System, job: Job, data: str) -> str:
    """A hash of what decides a baseline: its parameters, code, libraries, weights and data."""
    decided_by = {"name": system.name, "data": data, "n_classes": job.n_classes}
    if system.budget:  # the others leave nothing to chance
        decided_by |= {"network": system.budget.model_dump(), "seed": job.seed}
    code = [Path(__file__), *closure(*system.modules)]
    files = [job.pretrained] if job.pretrained else []
    return version(code, system.packages, files, **decided_by)[:40]


def _pretrained(networks: Iterable[schema.Network], folder: Path) -> dict[str, Path]:
    """Files of ImageNet weights by the name of the network that starts from them.

    One warning for each file that is wanted and missing.
    """
    weights = WEIGHTS.read(folder)
    files = weights.pretrained_files(folder)
    wanted = {network.name: network.starts_from for network in networks if network.starts_from}
    for missing, note in weights.lacking(set(wanted.values())).items():
        alone = [name for name, file in wanted.items() if file == missing]
        log.warning("%s: trained from scratch; %s", ", ".join(alone), note)
    return {name: files[file] for name, file in wanted.items() if file in files}


def _kept(folder: Path) -> Result | None:
    """What an earlier run has left; a folder that is there is whole."""
    if not folder.is_dir():
        return None
    record = RECORD.read(folder)
    log.info("%s: as before", record.name)
    return Result(record, dict(np.load(folder / PROBABILITIES)))


def _fit(system: System, job: Job, folder: Path) -> Result:
    """Kept in `folder` unless it fails."""
    started, began = now_ms(), time.perf_counter()
    try:
        fitted, error = system.fit(job), None
    except UserError:
        raise
    except Exception as raised:
        log.debug("%s failed", system.name, exc_info=raised)
        fitted, error = Fitted({}, {}), f"{type(raised).__name__}: {raised}"
    asked = {}
    if system.budget:
        asked = system.budget.model_dump(exclude={"name"}) | {"seed": job.seed}
    record = Baseline(
        name=system.name,
        kind=system.kind,
        about=system.about,
        seconds=round(time.perf_counter() - began, 3),
        parameters=fitted.parameters,
        weights=_weights(system, job),
        hyperparameters=asked | fitted.hyperparameters,
        epochs=fitted.epochs,
        started_ms=started,
        ended_ms=now_ms(),
        error=error,
    )
    if not error:
        with new_folder(folder) as out:
            np.savez(out / PROBABILITIES, allow_pickle=False, **fitted.probabilities)
            RECORD.write(out, record)
    return Result(record, fitted.probabilities)


def _weights(system: System, job: Job) -> str:
    if system.kind != "network":
        return "none"
    return "ImageNet" if job.pretrained else "from scratch"


def _show(result: Result, parts: Mapping[str, Shards]) -> None:
    record = result.record
    if record.error:
        log.warning("%s failed: %s", record.name, record.error)
        return
    shares = {
        part: (found.argmax(1) == parts[part].labels).mean()
        for part, found in result.probabilities.items()
        if len(found)
    }
    shown = ", ".join(f"{part} {share:.3f}" for part, share in shares.items())
    log.info("%s: accuracy %s (%.1f s)", record.name, shown, record.seconds)
