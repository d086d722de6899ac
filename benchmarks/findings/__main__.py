"""python -m benchmarks.findings NAME [TASK]: in the folder of a finished `dvc repro`.

NAME is leak, background, grey, copies, person, or all. Without TASK: every task that NAME can be
asked about. Prints a table and writes reports/findings/NAME-TASK.json, which the report draws.
"""

import argparse
import logging
import time

from benchmarks.findings import leak, person, variants
from benchmarks.findings.finding import save, show
from benchmarks.findings.photos import Photos, load_photos
from stages.common.door import enter
from stages.common.errors import UserError
from stages.params.merge import load

FINDINGS = {
    "leak": leak.leak,
    "background": variants.background,
    "grey": variants.grey,
    "copies": variants.copies,
    "person": person.person,
}


def applies(name: str, photos: Photos) -> bool:
    """Whether a run that names no task asks `name` of this one."""
    if name == "grey":  # where colour is what tells classes apart
        return photos.params.baseline.classical == "lab"
    if name == "person":
        return bool(photos.persons)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.findings", description=__doc__)
    parser.add_argument("name", choices=[*FINDINGS, "all"])
    parser.add_argument("task", nargs="?", help="a task of params.yaml")
    arguments = parser.parse_args()
    logging.getLogger("stages.augment").setLevel(logging.WARNING)
    params = load()
    names = FINDINGS if arguments.name == "all" else [arguments.name]
    tasks = list(params.tasks) if arguments.task is None else [arguments.task]
    named = arguments.task is not None and len(names) == 1  # asked for, whatever comes of it
    todo = [
        (name, photos)
        for photos in [load_photos(task, params) for task in tasks]
        for name in names
        if named or applies(name, photos)
    ]
    if not todo:
        raise UserError(f"no task of params.yaml can be asked about {arguments.name}")
    for name, photos in todo:
        start = time.perf_counter()
        finding = FINDINGS[name](photos)
        print(show(save(name, photos, finding, time.perf_counter() - start)), flush=True)


if __name__ == "__main__":
    enter(main)
