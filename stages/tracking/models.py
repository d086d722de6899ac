"""Promoted chains as versions of a registered model in MLflow, with aliases for their roles."""

import logging
import os
import shutil
import warnings
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec

from stages.common.closure import ROOT, closure
from stages.common.files import digest, sha256
from stages.records.chain import deciding_files
from stages.records.evaluation import EVALUATION, METRICS, Headline
from stages.records.promotion import SEEN, Role, read_history, reign
from stages.records.trials import CLASSES, MODEL, TRIALS
from stages.tracking.searches import MirroredSearch, find_search

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

log = logging.getLogger(__name__)
# What app.model needs installed
IMPORTS = (
    *("mlflow", "ai-edge-litert", "msgspec", "numpy", "pandas", "pydantic", "pyyaml", "regex"),
    *("scipy", "tqdm", "opencv-python-headless", "pillow", "rembg", "onnxruntime"),
)


def ensure_registered(client: "MlflowClient", task: str, role: Role, folder: Path) -> None:
    """Let alias `role` of `face-<task>` name the version with the chain in `folder`; without such a
    folder, let there be no such alias."""
    name = f"face-{task}"
    current = by_alias(client, name, role)
    if not folder.is_dir():
        if current:
            client.delete_registered_model_alias(name, role)
        return
    run_id = ensure_search(client, task, folder)
    chain = chain_digest(folder)
    if current and current.tags.get("chain") == chain and _run_exists(client, current.run_id):
        return
    found = _version(client, name, chain) or log_model(client, task, folder, chain, run_id)
    client.set_registered_model_alias(name, role, found)
    log.info("%s version %s is the %s", name, found, role)


def ensure_reigns(client: "MlflowClient", task: str, folder: Path) -> None:
    """Let tags of each version say when it was champion, by the history in `folder`
    (data/promote/<task>)."""
    history = read_history(folder)
    name = f"face-{task}"
    for each in client.search_model_versions(f"name = '{name}'"):
        since, until = reign(history, each.tags.get("sha256", ""))
        for tag, value in (("champion_since", since), ("champion_until", until)):
            if value and each.tags.get(tag) != value:
                client.set_model_version_tag(name, each.version, tag, value)
            elif not value and tag in each.tags:
                client.delete_model_version_tag(name, each.version, tag)


def chain_digest(folder: Path) -> str:
    """Of everything that decides a chain's answers: its files, and the code that runs them."""
    return digest([*deciding_files(folder), *closure("app.model")])


def ensure_search(client: "MlflowClient", task: str, folder: Path) -> str:
    """The run of the search that found the network in `folder`, made or completed from its
    trials.json."""
    trials = TRIALS.read(folder)
    attempts = trials.attempts()
    run = find_search(client, task, trials.search_id)
    if run and int(run.data.tags.get("attempts", -1)) >= len(attempts):
        return run.info.run_id
    log.info("%s: putting the search %s into MLflow", task, trials.search_id)
    mirrored = MirroredSearch(client, task, trials)
    mirrored.send(attempts, trials.final_fits)
    ended = max(each.ended_ms or 0 for each in attempts)
    mirrored.close("FINISHED", ended, len(attempts), {}, trials)
    return mirrored.parent


def log_model(client: "MlflowClient", task: str, folder: Path, chain: str, run_id: str) -> str:
    """Log the chain in `folder` with the run of its search, register it, and return the version.

    `chain`: its `chain_digest`.
    """
    name, classes = f"face-{task}", CLASSES.read(folder)
    ended = client.get_run(run_id).info.end_time
    uri = _log_chain(client, folder, classes, run_id)
    client.set_terminated(run_id, "FINISHED", end_time=ended)  # the search took no longer for this
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=f"Classes: {', '.join(classes.values())}")
    test = EVALUATION.read(folder).parts["test"]
    low, high = test.intervals["balanced_accuracy"]
    figure = f"{test.balanced_accuracy:.3f} ({low:.3f} to {high:.3f})"
    error = {}
    if test.mae is not None:
        low, high = test.intervals["mae"]
        error = {"test_mae": f"{test.mae:.3g} ({low:.3g} to {high:.3g})"}
    decision = folder.name
    tags = {
        "sha256": sha256(folder / MODEL),
        "chain": chain,
        "classes": ",".join(classes),
        "decision": decision,
        "test_balanced_accuracy": figure,
    }
    data = {f"data.{each.context}": f"{each.path} {each.md5}" for each in TRIALS.read(folder).data}
    created = client.create_model_version(
        name,
        uri,
        run_id,
        tags=tags | error | data,
        description=f"{decision}: balanced accuracy on test {figure}, {test.n} photos. Photo "
        "bytes in; face, class, calibrated probabilities, a number where it tells one, and "
        "warnings out.",
    )
    return created.version


def requirements() -> list[str]:
    """What the chain imports, in the versions that are installed here."""
    return [f"{name}=={version(name)}" for name in IMPORTS]


def _log_chain(client: "MlflowClient", folder: Path, classes: dict[str, str], run_id: str) -> str:
    """Log the chain and its records with a run; the address of the logged model."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    from app.model import SIGNATURE

    for file in (TRIALS, CLASSES, METRICS):
        client.log_artifact(run_id, str(file.path(folder)))
    for part, headline in METRICS.read(folder).items():
        for name, value in _flat(headline).items():
            client.log_metric(run_id, f"{part}_{name}", value)
    with warnings.catch_warnings(), TemporaryDirectory() as scratch:
        chain = Path(scratch, folder.name)
        # A model is given to others; who the photos show is not their business.
        shutil.copytree(folder, chain, ignore=shutil.ignore_patterns(SEEN.path(folder).name))
        warnings.filterwarnings("ignore", ".*input example.*")  # it would be somebody's face
        mlflow.start_run(run_id=run_id)
        try:
            return mlflow.pyfunc.log_model(
                name="model",
                python_model=str(ROOT / "app/model.py"),
                artifacts={"chain": str(chain)},
                code_paths=[str(ROOT / "app"), str(ROOT / "stages")],
                signature=SIGNATURE,
                metadata={"classes": list(classes), "titles": list(classes.values())},
                # Given, because MLflow would start a second Python to find out.
                pip_requirements=requirements(),
            ).model_uri
        finally:
            mlflow.end_run()


def _flat(headline: Headline) -> dict[str, float]:
    figures = msgspec.structs.asdict(headline)
    recall = {f"recall_{name}": value for name, value in figures.pop("recall").items()}
    return {name: value for name, value in (figures | recall).items() if value is not None}


def by_alias(client: "MlflowClient", name: str, role: Role) -> "ModelVersion | None":
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, role)
    except MlflowException:
        return None


def _version(client: "MlflowClient", name: str, chain: str) -> str | None:
    """A version with this chain whose run is still there."""
    from mlflow.exceptions import MlflowException

    try:
        versions = client.search_model_versions(f"name = '{name}' and tags.chain = '{chain}'")
    except MlflowException:
        return None
    alive = [each for each in versions if _run_exists(client, each.run_id)]
    return alive[0].version if alive else None


def _run_exists(client: "MlflowClient", run_id: str | None) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return run_id is not None and client.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException:
        return False
