"""What became of each trial, on disk while it trains: one small JSON file an attempt.

`<scratch>/attempts/<trial>-<attempt>.json`, numbers from 0 and 1, is a row of trials.json. A trial
has a second attempt when its process was killed in the first. Whoever wants to know how a search
is doing reads these files; nobody has to ask the process that trains.

`status` is RUNNING, COMPLETED, FAILED (its own fault: `error` says why), INTERRUPTED (its process
was killed) or STOPPED (asked to end early: it has a score, but the trial is not over).
"""

import json
from pathlib import Path
from typing import Any

from stages.common.files import new_file

Attempt = dict[str, Any]


def read(scratch: Path) -> list[Attempt]:
    """Every attempt of the search in `scratch`, in the order of trials and attempts."""
    files = (scratch / "attempts").glob("*.json")
    found = [json.loads(file.read_text("utf-8")) for file in files]
    return sorted(found, key=lambda each: (each["trial"], each["attempt"]))


def write(scratch: Path, attempt: Attempt) -> None:
    name = f"{attempt['trial']:04}-{attempt['attempt']}.json"
    with new_file(scratch / "attempts" / name) as part:
        part.write_text(json.dumps(attempt), encoding="utf-8")


def latest(attempts: list[Attempt]) -> list[Attempt]:
    """The last attempt at each trial."""
    return list({each["trial"]: each for each in attempts}.values())


def interrupt(
    scratch: Path,
    reason: str,
    now_ms: int,
    trial: int | None = None,
    worker: str | None = None,
    crashed: bool = False,
) -> list[Attempt]:
    """Close the attempts, all or those at `trial` or of `worker`, that nobody works on any more.

    `crashed`: the process was killed while it trained, perhaps by what it was training.
    """
    left = [
        each
        for each in read(scratch)
        if each["status"] == "RUNNING"
        and trial in (None, each["trial"])
        and worker in (None, each["worker"])
    ]
    end = {"status": "INTERRUPTED", "error": reason, "crashed": crashed, "ended_ms": now_ms}
    for each in left:
        write(scratch, each | end)
    return left


def final_fit(scratch: Path) -> Attempt | None:
    """The record of the winner's last training, on train and val, where there has been one."""
    path = scratch / "final_fit.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def write_final_fit(scratch: Path, record: Attempt) -> None:
    with new_file(scratch / "final_fit.json") as part:
        part.write_text(json.dumps(record), encoding="utf-8")
