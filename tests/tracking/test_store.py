import sqlite3

import pytest

from stages.tracking import store

pytestmark = pytest.mark.slow  # a real MLflow


def test_a_store_whose_making_was_killed_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    monkeypatch.setattr(store, "DATABASE", tmp_path / "mlruns/mlflow.db")
    monkeypatch.setattr(store, "DEFAULT_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    (tmp_path / "mlruns").mkdir()
    half = sqlite3.connect(tmp_path / "mlruns/.mlflow.db.part")
    half.execute("CREATE TABLE experiments (id INTEGER)")  # MLflow's own has other columns
    half.commit()
    half.close()
    (tmp_path / "mlruns/.mlflow.db.part-journal").write_bytes(b"of the half-made one")
    experiments = store.connect().search_experiments()
    assert [each.name for each in experiments] == ["Default"]
    files = {path.name for path in (tmp_path / "mlruns").iterdir() if path.is_file()}
    assert files == {"mlflow.db", ".mlflow.db.lock"}
