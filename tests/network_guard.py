"""Which other machines a process and its children look up or connect to.

Python calls an audit hook before each look-up and connection. What MLflow and others leave out in
CI, because nobody uses them there, must not be left out here: the variables they know it by go.
"""

import os
from pathlib import Path

CI = ("CI", "GITHUB_ACTIONS", "PYTEST_", "GITLAB_CI", "JENKINS_URL", "TF_BUILD", "BUILDKITE")
# Everything that would switch a report off: it must be off without them.
SWITCHES = ("MLFLOW_DISABLE_TELEMETRY", "DVC_", "DO_NOT_TRACK", "HF_HUB_", "ITERATIVE_")


def guarded(environment: dict[str, str], log: Path) -> dict[str, str]:
    """`environment` in which every Python process writes to `log` what it looks up."""
    kept = {k: v for k, v in environment.items() if not k.startswith((*CI, *SWITCHES))}
    hook = str(Path(__file__).parent / "network")
    path = os.pathsep.join(filter(None, [hook, environment.get("PYTHONPATH")]))
    return kept | {"PYTHONPATH": path, "NETWORK_LOG": str(log)}


def lookups(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []
