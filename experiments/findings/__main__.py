"""python -m experiments.findings NAME [TASK]: in the folder of a finished `dvc repro`.

NAME is leak, background, grey, copies, person, or all. Without TASK: every task to which NAME
applies. Prints a table and writes reports/findings/NAME-TASK.json, which the report draws.
"""

import argparse
import logging
import time

from experiments.findings import leak, person, variants
from experiments.findings.outcome import record, show
from experiments.findings.photos import Photos, load_photos
from stages.common.door import enter
from stages.common.errors import UserError
from stages.params.merge import load
from stages.records.findings import finding_file, findings_folder

FINDINGS = {
    "leak": leak.leak,
    "background": variants.background,
    "grey": variants.grey,
    "copies": variants.copies,
    "person": person.person,
}


def applies(name: str, photos: Photos) -> bool:
    """Whether a run that names no task runs `name` on this one."""
    if name == "grey":  # where colour is what tells classes apart
        return photos.params.baseline.classical == "lab"
    if name == "person":
        return bool(photos.persons)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m experiments.findings", description=__doc__)
    parser.add_argument("name", choices=[*FINDINGS, "all"])
    parser.add_argument("task", nargs="?", help="a task of params.yaml")
    arguments = parser.parse_args()
    params = load()
    names = list(FINDINGS) if arguments.name == "all" else [arguments.name]
    tasks = list(params.tasks) if arguments.task is None else [arguments.task]
    named = arguments.task is not None and len(names) == 1  # run it, even where it seems pointless
    todo = [
        (name, photos)
        for photos in [load_photos(task, params.task(task)) for task in tasks]
        for name in names
        if named or applies(name, photos)
    ]
    if not todo:
        raise UserError(f"{arguments.name} applies to no task of params.yaml")
    for name, photos in todo:
        start = time.perf_counter()
        outcome = FINDINGS[name](photos)
        finding = record(name, photos.task, outcome, time.perf_counter() - start)
        finding_file(name, photos.task).write(findings_folder(), finding)
        print(show(finding), flush=True)


if __name__ == "__main__":
    logging.getLogger("stages.augment").setLevel(logging.WARNING)  # it reports on each variant
    enter(main)
