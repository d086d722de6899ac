""".search/<task>/<id>: what became of each trial, on disk while it trains.

`attempts/<trial>-<attempt>.json`, numbered from 0 and 1, is an `Attempt` of trials.json.
A trial has a second attempt when its process was killed in the first. These files are the only
place to look for the state of a search; the training process answers no questions.
"""

from pathlib import Path

import msgspec

from stages.common.clock import now_ms
from stages.records.json_file import JsonFile
from stages.records.trials import Attempt

ALONE = "alone"  # the `worker` of a search in one process


def folder(scratch: Path) -> Path:
    return scratch / "attempts"


def final_fit_file(trial: int) -> JsonFile[Attempt]:
    """The last training of a trial's network, on train and val."""
    return JsonFile(f"final_fits/{trial:04}.json", Attempt)


def read(scratch: Path) -> list[Attempt]:
    """Every attempt of the search in `scratch`, in the order of trials and attempts."""
    files = folder(scratch).glob("*.json")
    found = [JsonFile(file.name, Attempt).read(folder(scratch)) for file in files]
    return sorted(found, key=lambda each: (each.trial, each.attempt))


def write(scratch: Path, attempt: Attempt) -> None:
    name = f"{attempt.trial:04}-{attempt.attempt}.json"
    JsonFile(name, Attempt).write(folder(scratch), attempt)


def latest(attempts: list[Attempt]) -> list[Attempt]:
    """The last attempt at each trial, of attempts in their order."""
    return list({each.trial: each for each in attempts}.values())


def interrupt(
    scratch: Path,
    reason: str,
    *,
    trial: int | None = None,
    worker: str | None = None,
    crashed: bool = False,
) -> list[Attempt]:
    """Close the attempts that no process works on any more: all, those at `trial`, or of `worker`.

    `crashed`: the process was killed while it trained, perhaps by what it was training. Returns
    the attempts as they were.
    """
    left = [
        each
        for each in read(scratch)
        if each.status == "RUNNING"
        and trial in (None, each.trial)
        and worker in (None, each.worker)
    ]
    for each in left:
        closed = msgspec.structs.replace(
            each, status="INTERRUPTED", error=reason, crashed=crashed, ended_ms=now_ms()
        )
        write(scratch, closed)
    return left


def final_fit(scratch: Path, trial: int) -> Attempt | None:
    """The record of a trial's final fit, where one has begun."""
    file = final_fit_file(trial)
    return file.read(scratch) if file.path(scratch).exists() else None


def final_fits(scratch: Path) -> list[Attempt]:
    """The records of all final fits that have begun."""
    found = sorted((scratch / "final_fits").glob("*.json"))
    return [final_fit_file(int(path.stem)).read(scratch) for path in found]
