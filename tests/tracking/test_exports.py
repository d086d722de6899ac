"""What was exported is among the artifacts of the version in a real MLflow."""

import pytest

from stages.export.__main__ import main as export
from stages.promote.__main__ import main as promote
from stages.records.folders import Folders
from tests.promote.mini import TASK, write_network

pytestmark = pytest.mark.slow  # a real MLflow

AT = Folders(TASK)


def held(store, role):
    version = store.get_model_version_by_alias(f"face-{TASK}", role)
    model = version.source.removeprefix("models:/")
    return version, {each.path for each in store.list_logged_model_artifacts(model, "export")}


def test_the_version_holds_the_files_of_its_network_alone(project, monkeypatch):
    from stages.tracking import register
    from stages.tracking.store import connect

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/mlflow.db")
    store = connect()
    write_network(0.9, "4")
    promote(TASK)
    export(TASK)
    register.main()
    version, files = held(store, "champion")
    assert files == {f"export/{path.name}" for path in AT.export.iterdir()}
    assert {"export/card.json", "export/README.md"} < files and len(files) == 4
    register.main()
    assert held(store, "champion") == (version, files)

    write_network(-0.9, "5")  # a challenger, which was not exported
    promote(TASK)
    register.main()
    assert held(store, "challenger")[1] == set() and held(store, "champion")[1] == files
