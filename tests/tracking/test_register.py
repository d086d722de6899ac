"""A real MLflow store (SQLite) is filled from files alone."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stages.common.files import sha256
from stages.promote.__main__ import main
from stages.records.promotion import SEEN
from tests.promote.mini import REPO, TASK, write_network

pytestmark = pytest.mark.slow  # a real MLflow

FOLDER = Path("data/promote", TASK)


@pytest.fixture
def store(project, monkeypatch):
    from stages.tracking.store import connect

    # With its whole path: MLflow keeps what it has opened, by name, for as long as the process.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlflow.db")
    return connect()


def versions(store):
    return {v.tags["sha256"]: v for v in store.search_model_versions(f"name = 'face-{TASK}'")}


def aliases(store):
    return set(store.get_registered_model(f"face-{TASK}").aliases)


def test_the_registry_follows_the_files(store):
    import mlflow

    from stages.tracking import register

    write_network(-0.9, "1")
    main(TASK)
    register.main()
    assert aliases(store) == {"challenger"}  # it lost against naming one class

    write_network(0.9, "4", wrong=5)
    main(TASK)
    register.main()
    assert aliases(store) == {"champion"}
    champion = store.get_model_version_by_alias(f"face-{TASK}", "champion")
    parent = store.get_run(champion.run_id)
    assert parent.data.tags["search_id"] == "4"
    assert parent.data.metrics["test_accuracy"] == 0.75
    assert champion.tags["decision"] == "champion"
    assert champion.tags["data.training"] == "data/shards/tone/train 4.dir"
    figure = champion.tags["test_balanced_accuracy"]
    assert figure.count("0.") == 3 and figure in champion.description
    assert champion.tags["champion_since"] and "champion_until" not in champion.tags
    children = store.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    statuses = {run.data.tags["trial"]: run.info.status for run in children}
    assert statuses == {"1": "FINISHED", "2": "FAILED"}
    finished = next(run for run in children if run.data.tags["trial"] == "1")
    curve = store.get_metric_history(finished.info.run_id, "val_loss")
    assert [(point.step, point.value) for point in curve] == [(0, 1.0), (1, 0.75)]
    listed = {each.path for each in store.list_artifacts(parent.info.run_id)}
    assert {"trials.json", "systems.json", "champion"} <= listed
    listed = {each.path for each in store.list_artifacts(parent.info.run_id, "champion")}
    assert listed == {"champion/model_card.md", "champion/leaderboard.csv"}
    baselines = store.search_runs([parent.info.experiment_id], "tags.kind = 'baseline'")
    assert {run.info.run_name for run in baselines} == {"majority", "tone_vgg"}

    # What is registered loads through pyfunc and answers photos as the exam did.
    served = mlflow.pyfunc.load_model(f"models:/face-{TASK}@champion")
    row = pd.read_csv(f"data/evaluate/{TASK}/predictions.csv", dtype={"id": str}).iloc[-1]
    [photo] = Path(f"data/raw/{TASK}/images").glob(f"{row['id']}.*")
    answers = served.predict(pd.DataFrame({"photo": [photo.read_bytes(), b"none"]}))
    np.testing.assert_allclose(answers["probabilities"][0]["warm"], row["p_warm"], atol=1e-5)
    assert answers["label"].tolist() == [row["predicted"], None]

    # Saying it again changes nothing.
    register.main()
    assert len(versions(store)) == 2

    # A better one comes, and MLflow shows the history.
    write_network(1, "3")
    main(TASK)
    register.main()
    assert aliases(store) == {"champion"}
    now = store.get_model_version_by_alias(f"face-{TASK}", "champion")
    assert now.tags["sha256"] == sha256(FOLDER / "champion/model.keras")
    assert versions(store)[champion.tags["sha256"]].tags["champion_until"]
    assert "champion_until" not in now.tags

    # A run deleted in the UI is put back from the files.
    store.delete_run(now.run_id)
    register.main()
    again = store.get_model_version_by_alias(f"face-{TASK}", "champion")
    assert store.get_run(again.run_id).info.lifecycle_stage == "active"

    # A task whose files are gone keeps what MLflow has; a role that is gone loses its alias.
    shutil.rmtree(FOLDER / "champion")
    register.main()
    assert aliases(store) == set()


def test_another_calibration_of_the_same_network_is_another_version(project):
    from stages.tracking.models import chain_digest

    write_network(1, "3")
    main(TASK)
    before = chain_digest(FOLDER / "champion")
    (FOLDER / "champion/metrics.json").write_text("{}")
    assert chain_digest(FOLDER / "champion") == before  # it answers nothing
    (FOLDER / "champion/calibration.json").write_text('{"temperature": 2}')
    assert chain_digest(FOLDER / "champion") != before


REGISTER = [sys.executable, "-m", "stages.tracking.register"]


def places(root: Path) -> set[str]:
    """Every folder that MLflow's database names, of this project's experiments."""
    with closing(sqlite3.connect(root / "mlruns/mlflow.db")) as store:
        found = store.execute("select artifact_uri from runs").fetchall()
        found += store.execute("select artifact_location from logged_models").fetchall()
        found += store.execute("select storage_location from model_versions").fetchall()
        found += store.execute(
            "select artifact_location from experiments where name = ?", (TASK,)
        ).fetchall()
    return {place for (place,) in found}


def test_two_at_once_make_one_version_and_a_moved_checkout_is_followed(project, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    environment["PYTHONPATH"] = str(REPO)
    write_network(0.9, "4", wrong=5)
    main(TASK)
    both = [subprocess.Popen(REGISTER, env=environment) for _ in range(2)]
    assert [each.wait(120) for each in both] == [0, 0]
    query = "select count(*) from model_versions"
    with closing(sqlite3.connect("mlruns/mlflow.db")) as store:
        assert store.execute(query).fetchone() == (1,)
    # Without a change MLflow is not even imported; with one it is.
    code = "import sys; sys.modules['mlflow'] = None; from stages.tracking.register import main"
    without = [sys.executable, "-c", f"{code}; main()"]
    assert subprocess.run(without, env=environment, check=False).returncode == 0
    table = Path("data/promote", TASK, "leaderboard.csv")
    table.write_text(table.read_text())
    assert subprocess.run(without, env=environment, check=False).returncode == 1
    artifacts = Path("mlruns/artifacts")
    [network] = artifacts.rglob("model.keras")
    persons = {each.person for each in SEEN.read(FOLDER / "champion") if each.person}
    assert len(persons) > 5
    texts = [each for each in artifacts.rglob("*") if each.suffix in (".json", ".csv", ".md", "")]
    assert len(texts) > 10
    for file in texts:
        said = file.read_text("utf-8") if file.is_file() else ""
        assert not [name for name in persons if name in said], file

    write_network(1, "3")
    main(TASK)
    moved = tmp_path / "elsewhere & <here>"
    shutil.copytree(project, moved)
    shutil.move(project, tmp_path / "away")
    subprocess.run(REGISTER, env=environment, cwd=moved, check=True)
    assert not project.exists()
    expected = f"{(moved / 'mlruns/artifacts' / TASK).as_uri()}"
    assert all(f"{place}/".startswith(f"{expected}/") for place in places(moved))
    assert len(list((moved / "mlruns/artifacts").rglob("model.keras"))) == 2
    with closing(sqlite3.connect(moved / "mlruns/mlflow.db")) as store:
        assert store.execute(query).fetchone() == (2,)


def test_without_mlflow_it_says_so_and_that_nothing_is_lost(tmp_path, monkeypatch):
    from stages.common.errors import UserError
    from stages.tracking.register import check_answers
    from stages.tracking.store import connect

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match="MLflow does not answer(?s:.*)Nothing is lost"):
        check_answers(connect())
