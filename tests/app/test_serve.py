"""The registered model behind MLflow's own server, away from this checkout."""

import base64
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
import pytest

from app.chain import Chain
from tests.app.serving import answers, free_port
from tests.network_guard import guarded, lookups
from tests.promote.mini import REPO, TASK

pytestmark = pytest.mark.slow

# As docs/operations.md says to start it
DOCUMENTED = {"MLFLOW_DISABLE_TELEMETRY": "true"}
IMPORTS = """
import ast, sys
from importlib.metadata import packages_distributions
from pathlib import Path
from app.chain import Chain
import app.model
from stages.tracking.models import IMPORTS
from stages.common.backend import import_keras
ours = Path(sys.argv[1])
Chain(Path(sys.argv[2])).answer(Path(sys.argv[3]).read_bytes())
names = set()
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    if file and ours in Path(file).parents and "tracking" not in name and ".venv" not in file:
        for node in ast.parse(Path(file).read_text()).body:
            names |= {a.name.split(".")[0] for a in getattr(node, "names", [])
                      if isinstance(node, ast.Import)}
            if isinstance(node, ast.ImportFrom):
                names.add(node.module.split(".")[0])
known = packages_distributions()
wanted = [set(map(str.lower, known[name])) for name in names if name in known]
print([names for names in wanted if not names & set(IMPORTS)])
"""


def environment(**more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    clean |= {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"}
    return clean | more


def test_mlflow_serves_the_chain(copy, tmp_path):
    register = [sys.executable, "-m", "stages.tracking.register"]
    here = environment(PYTHONPATH=str(REPO))
    subprocess.run(register, cwd=copy, env=here, check=True, capture_output=True)
    port, store = free_port(), f"sqlite:///{copy}/mlruns/mlflow.db"
    (tmp_path / "elsewhere").mkdir()
    serve = f"mlflow models serve -m models:/face-{TASK}@champion --env-manager local"
    server = subprocess.Popen(
        [*serve.split(), "-h", "127.0.0.1", "-p", str(port)],
        cwd=tmp_path / "elsewhere",
        start_new_session=True,
        env=guarded(environment(**DOCUMENTED, MLFLOW_TRACKING_URI=store), tmp_path / "network"),
        stdout=(tmp_path / "log").open("w"),
        stderr=subprocess.STDOUT,
    )
    try:
        assert answers(f"http://127.0.0.1:{port}/ping", server), (tmp_path / "log").read_text()
        photo = next((copy / "data/raw" / TASK / "images").iterdir()).read_bytes()
        records = [{"photo": base64.b64encode(data).decode()} for data in (photo, b"no photo")]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/invocations",
            json.dumps({"dataframe_records": records}).encode(),
            {"Content-Type": "application/json"},
        )
        answer, refused = json.load(urllib.request.urlopen(request, timeout=60))["predictions"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)
    assert lookups(tmp_path / "network") == []
    expected = Chain(copy / "data/promote" / TASK / "champion").answer(photo)
    found, wanted = answer.pop("probabilities"), expected.probabilities
    assert list(found) == list(wanted)
    np.testing.assert_allclose(list(found.values()), list(wanted.values()), atol=1e-5)
    assert answer["confidence"] == pytest.approx(expected.confidence, abs=1e-5)
    assert (answer["label"], answer["title"]) == (expected.label, expected.title)
    assert answer["box"] == list(expected.box)
    assert refused["reason"] == "not a jpg, png or webp picture"
    assert (refused["label"], refused["confidence"], refused["box"]) == (None, None, None)


def test_all_that_the_chain_imports_is_required(promoted):
    champion = promoted / "data/promote" / TASK / "champion"
    photo = next((promoted / "data/raw" / TASK / "images").iterdir())
    command = [sys.executable, "-c", IMPORTS, str(REPO), str(champion), str(photo)]
    done = subprocess.run(
        command, cwd=REPO, env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
