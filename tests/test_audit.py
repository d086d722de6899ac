"""What .ci/audit makes of what pip-audit finds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
FINE = {"name": "fine", "version": "1", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found"}
WEAK = {"name": "weak", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        ([FINE, FINE], 0, ["0 of 2 packages have known weaknesses"]),
        ([FINE, UNKNOWN], 0, ["0 of 1 packages", "of 1 more nothing is known"]),
        ([FINE, WEAK], 1, ["weak 2: CVE-1, mended in 3", "1 of 2 packages"]),
        ([UNKNOWN, UNKNOWN], 0, ["NOT DONE", "knows no weaknesses"]),
        (None, 0, ["NOT DONE", "could ask nobody: no way there"]),
    ],
)
def test_a_weakness_fails_and_an_audit_that_asked_nobody_says_so(tmp_path, found, status, said):
    """In place of pip-audit: one that writes what it gets here, or ends with an error."""
    answer = json.dumps({"dependencies": found})
    write = f"open(sys.argv[sys.argv.index('--output') + 1], 'w').write({answer!r})"
    code = write if found is not None else "sys.exit('no way there')"
    (tmp_path / "pip_audit.py").write_text(f"import sys\n{code}\nsys.exit({status})\n")
    done = subprocess.run(
        [sys.executable, REPO / ".ci/audit"],
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert all(text in done.stdout for text in said), done.stdout
