"""python -m stages.promote.register

Makes MLflow hold what the files say, for every task: each promoted network with the search it came
from (put there from `trials.json` where this machine did not run it), its whole chain as a version
of `face-<task>`, the aliases `champion` and `challenger`, who was champion when, and the baselines.
Runs after every `dvc repro`; where nothing is missing it takes seconds.
"""

import hashlib
import json
import logging
import os
import warnings
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from stages.common.backend import import_keras
from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.files import read_json
from stages.params.merge import load
from stages.promote.history import read_history, reign
from stages.promote.promote import sha256
from stages.tracking.searches import MirroredSearch, find_search
from stages.tracking.store import connect

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)
ROLES = ("champion", "challenger")
REPOSITORY = Path(__file__).resolve().parents[2]
# The code that answers a photo; with the backend of Keras, `IMPORTS` is what it needs installed
CODE = [
    path
    for pattern in ("stages/extract/*.py", "stages/matte/*.py")
    for path in sorted(REPOSITORY.glob(pattern))
] + [
    REPOSITORY / name
    for name in (
        *("app/chain.py", "app/model.py", "stages/augment/render.py"),
        *("stages/common/images.py", "stages/common/predict.py"),
    )
]
IMPORTS = (
    *("mlflow", "keras", "msgspec", "numpy", "pandas", "pydantic", "pydantic_core", "pyyaml"),
    *("scipy", "tqdm"),
    *("opencv-python-headless", "pillow", "rembg", "onnxruntime"),
)


def main() -> None:
    from stages.common.baselines_in_mlflow import ensure_baselines

    client = connect()
    check_answers(client)
    for task in load().tasks:
        folder = Path(f"data/promote/{task}")
        if not folder.is_dir():
            continue  # `dvc repro search@age` and the like build only some of the tasks
        for role in ROLES:
            ensure_registered(client, task, role, folder / role)
        ensure_card(client, task, folder)
        ensure_told(client, task, folder)
        if (baselines := Path(f"data/baseline/{task}")).is_dir():
            ensure_baselines(client, task, baselines)
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
    """Let alias `role` of `face-<task>` stand for the chain in `folder`, or for none."""
    name = f"face-{task}"
    current = alias(client, name, role)
    if not folder.is_dir():
        if current:
            client.delete_registered_model_alias(name, role)
        return
    run_id = ensure_search(client, task, folder)
    digest = chain_digest(folder)
    if current and current.tags.get("chain") == digest and _run_exists(client, current.run_id):
        return
    found = _version(client, name, digest) or log_model(client, task, folder, digest, run_id)
    client.set_registered_model_alias(name, role, found)
    log.info("%s version %s is the %s", name, found, role)


def ensure_told(client: "MlflowClient", task: str, folder: Path) -> None:
    """Tags on each version: when it was champion, by `folder`/history.json."""
    history = read_history(folder)
    name = f"face-{task}"
    for each in client.search_model_versions(f"name = '{name}'"):
        since, until = reign(history, each.tags.get("sha256", ""))
        for tag, value in (("champion_since", since), ("champion_until", until)):
            if value and each.tags.get(tag) != value:
                client.set_model_version_tag(name, each.version, tag, value)
            elif not value and tag in each.tags:
                client.delete_model_version_tag(name, each.version, tag)


def ensure_card(client: "MlflowClient", task: str, folder: Path) -> None:
    """The model cards of `data/promote/<task>`, and its leaderboard as a file and as a table, lie
    with the searches that the networks came from."""
    table = pd.read_csv(folder / "leaderboard.csv")
    for role in (role for role in ROLES if (folder / role).is_dir()):
        files = [folder / role / "model_card.md", folder / "leaderboard.csv"]
        digest = _digest(files)
        search = read_json(folder / role / "trials.json")["search_id"]
        run = find_search(client, task, search)
        if run.data.tags.get(f"{role}_card") == digest:
            continue
        for file in files:
            client.log_artifact(run.info.run_id, str(file), role)
        content = json.loads(table.to_json(orient="split", index=False))
        client.log_dict(run.info.run_id, content, "systems.json")
        shown = [{"path": each, "type": "table"} for each in ("leaderboard.json", "systems.json")]
        client.set_tag(run.info.run_id, "mlflow.loggedArtifacts", json.dumps(shown))
        client.set_tag(run.info.run_id, f"{role}_card", digest)


def chain_digest(folder: Path) -> str:
    """Of all that decides the chain's answers: its files, and the code that runs them."""
    names = ("model.keras", "chain.json", "classes.json", "calibration.json", "geometry.json")
    weights = sorted((folder / "weights").iterdir())
    return _digest([*(folder / name for name in names), *weights, *CODE])


def _digest(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


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
        versions = client.search_model_versions(f"name = '{name}' and tags.chain = '{digest}'")
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
    """Log the chain under its network's search, register it, and return the version's number."""
    import_keras()
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow

    from app.model import SIGNATURE

    classes = read_json(folder / "classes.json")
    trials = read_json(folder / "trials.json")
    name = f"face-{task}"
    ended = client.get_run(run_id).info.end_time
    with mlflow.start_run(run_id=run_id), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*input example.*")  # it would be somebody's face
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(REPOSITORY / "app/model.py"),
            artifacts={"chain": str(folder.resolve())},
            code_paths=[str(REPOSITORY / "app"), str(REPOSITORY / "stages")],
            signature=SIGNATURE,
            metadata={"classes": list(classes), "titles": list(classes.values())},
            # Given, because MLflow would start a second Python to find out.
            pip_requirements=requirements(),
        )
        for file in ("trials.json", "classes.json", "metrics.json"):
            mlflow.log_artifact(str(folder / file))
        mlflow.log_metrics(_flat(read_json(folder / "metrics.json")))
    client.set_terminated(run_id, "FINISHED", end_time=ended)  # the search took no longer for this
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name, description=f"Classes: {', '.join(classes.values())}")
    test = read_json(folder / "evaluation.json")["parts"]["test"]
    low, high = test["intervals"]["balanced_accuracy"]
    figure = f"{test['balanced_accuracy']:.3f} ({low:.3f} to {high:.3f})"
    decision = folder.name
    tags = {
        "sha256": sha256(folder),
        "chain": digest,
        "classes": ",".join(classes),
        "decision": decision,
        "test_balanced_accuracy": figure,
    } | {f"data.{each['context']}": f"{each['path']} {each['md5']}" for each in trials["data"]}
    created = client.create_model_version(
        name,
        logged.model_uri,
        run_id,
        tags=tags,
        description=f"{decision}: balanced accuracy on test {figure}, {test['n']} photos. Photo "
        "bytes in; face, class, calibrated probabilities and warnings out.",
    )
    return created.version


def requirements() -> list[str]:
    """What the chain imports, as it is installed here."""
    import keras

    return [f"{name}=={version(name)}" for name in (*IMPORTS, keras.backend.backend())]


def ensure_search(client: "MlflowClient", task: str, folder: Path) -> str:
    """The run of the search that found this network, made or completed from trials.json."""
    content = read_json(folder / "trials.json")
    attempts = sorted(content["earlier"] + content["trials"], key=_order)
    run = find_search(client, task, content["search_id"])
    if run and int(run.data.tags.get("attempts", -1)) >= len(attempts):
        return run.info.run_id
    log.info("%s: putting the search %s into MLflow", task, content["search_id"])
    mirrored = MirroredSearch(client, task, content)
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
