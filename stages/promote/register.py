"""python -m stages.promote.register

Makes MLflow hold what the files say, for every task: each promoted network with the search it came
from (put there from `trials.json` where this machine did not run it), a version of `face-<task>`,
and the aliases `champion` and `challenger`. Runs after every `dvc repro`; where nothing is
missing it takes seconds.
"""

import logging
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.common import tracking
from stages.common.backend import import_keras
from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.params import load
from stages.promote.promote import read_json, sha256

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)
ROLES = ("champion", "challenger")


def main() -> None:
    client = tracking.connect()
    check_answers(client)
    for task in load().tasks:
        folder = Path(f"data/promote/{task}")
        if not folder.is_dir():
            continue  # `dvc repro search@age` and the like build only some of the tasks
        for role in ROLES:
            ensure_registered(client, task, role, folder / role)
    log.info("MLflow holds what data/promote says; `make ui` shows it")


def check_answers(client: "MlflowClient") -> None:
    """Raises `UserError` where the store or server cannot be reached."""
    from mlflow.exceptions import MlflowException

    try:
        client.search_experiments(max_results=1)
    except MlflowException as error:
        raise UserError(
            f"MLflow does not answer ({str(error).splitlines()[0][:200]}). Nothing is lost: start "
            "it, or correct MLFLOW_TRACKING_URI, and run `dvc repro` again"
        ) from error


def ensure_registered(client: "MlflowClient", task: str, role: str, folder: Path) -> None:
    """Let alias `role` of `face-<task>` stand for the network in `folder`, or for none."""
    name = f"face-{task}"
    current = alias(client, name, role)
    if not folder.is_dir():
        if current:
            client.delete_registered_model_alias(name, role)
        return
    run_id = ensure_search(client, task, folder)
    digest = sha256(folder)
    if current and current.tags.get("sha256") == digest and _run_exists(client, current.run_id):
        return
    found = _version(client, name, digest) or log_model(client, task, folder, digest, run_id)
    client.set_registered_model_alias(name, role, found)
    log.info("%s version %s is the %s", name, found, role)


def alias(client: "MlflowClient", name: str, role: str) -> Any:
    """The model version that alias `role` stands for, or None."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, role)
    except MlflowException:
        return None


def _version(client: "MlflowClient", name: str, digest: str) -> str | None:
    from mlflow.exceptions import MlflowException

    try:
        versions = client.search_model_versions(f"name = '{name}' and tags.sha256 = '{digest}'")
    except MlflowException:
        return None
    alive = [v for v in versions if _run_exists(client, v.run_id)]
    return alive[0].version if alive else None


def _run_exists(client: "MlflowClient", run_id: str) -> bool:
    from mlflow.exceptions import MlflowException

    try:
        return client.get_run(run_id).info.lifecycle_stage == "active"
    except MlflowException:
        return False


def log_model(client: "MlflowClient", task: str, folder: Path, digest: str, run_id: str) -> str:
    """Log the network under its search's run, register it, and return the version's number."""
    keras = import_keras()
    import mlflow
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    model = keras.saving.load_model(folder / "model.keras", compile=False)
    shape = model.input_shape[1:]
    signature = ModelSignature(
        Schema([TensorSpec(np.dtype(np.uint8), (-1, *shape))]),
        Schema([TensorSpec(np.dtype(np.float32), (-1, *model.output_shape[1:]))]),
    )
    classes = read_json(folder / "classes.json")
    name = f"face-{task}"
    ended = client.get_run(run_id).info.end_time
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.tensorflow.log_model(
            model,
            name="model",
            signature=signature,
            input_example=np.zeros((1, *shape), np.uint8),
            metadata={"classes": list(classes), "titles": list(classes.values())},
            # Given, because MLflow would start a second Python to find out.
            pip_requirements=[f"{p}=={version(p)}" for p in ("tensorflow", "keras", "numpy")],
        )
        for file in ("trials.json", "classes.json", "metrics.json"):
            mlflow.log_artifact(str(folder / file))
        mlflow.log_metrics(_flat(read_json(folder / "metrics.json")))
    client.set_terminated(run_id, "FINISHED", end_time=ended)  # the search took no longer for this
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=f"Classes: {', '.join(classes.values())}")
    created = client.create_model_version(
        name, logged.model_uri, run_id, tags={"sha256": digest, "classes": ",".join(classes)}
    )
    return created.version


def ensure_search(client: "MlflowClient", task: str, folder: Path) -> str:
    """The run of the search that found this network, made or completed from trials.json."""
    content = read_json(folder / "trials.json")
    attempts = sorted(content["earlier"] + content["trials"], key=_order)
    run = tracking.find_search(client, task, content["search_id"])
    if run and int(run.data.tags.get("attempts", -1)) >= len(attempts):
        return run.info.run_id
    log.info("%s: putting the search %s into MLflow", task, content["search_id"])
    mirrored = tracking.MirroredSearch(client, task, content)
    mirrored.send(attempts, content["final_fit"])
    mirrored.close("FINISHED", max(a["ended_ms"] for a in attempts), len(attempts), {})
    return mirrored.parent


def _order(attempt: dict[str, Any]) -> tuple[int, int]:
    return attempt["trial"], attempt["attempt"]


def _flat(metrics: dict, prefix: str = "") -> dict[str, float]:
    flat: dict[str, float] = {}
    for key, value in metrics.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}_")
        elif isinstance(value, (int, float)):
            flat[prefix + key] = float(value)
    return flat


if __name__ == "__main__":
    enter(main)
