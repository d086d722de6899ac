import shutil
from pathlib import Path

import pytest

from tests.promote import mini


@pytest.fixture
def project(tmp_path_factory, tmp_path, monkeypatch) -> Path:
    """The working folder: a task up to its shards."""
    root = tmp_path / "project"
    shutil.copytree(mini.shared(tmp_path_factory), root)
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return root
