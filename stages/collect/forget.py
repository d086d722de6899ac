"""python -m stages.collect forget --sha256 HASH | --person NAME [task]: a tombstone.

It is written to forgotten.csv, which `collect` reads: the next `dvc repro` builds everything
without them, and no source can bring them back.
"""

import argparse
import re
from pathlib import Path

import pandas as pd

from stages.collect.forgotten import COLUMNS, FILE, Forgotten, person_hash
from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.tables import read_table, write_table
from stages.params.merge import load

PURGE = """
Commit {file}. What to do next, in this order:
  1. Delete the pictures from the sources: {sources}
  2. dvc repro                   builds everything without them
What older builds still hold, and how to purge it once 2. is done:
  3. rm -rf .downloads {scratch}
                                 scratch: downloads, faces, cut-outs, half-done and earlier searches
  4. {champion}dvc repro
                                 the champion was trained on them: have a new one chosen
  5. dvc gc --workspace          the cache: all that the present outputs do not need, older
                                 versions of everything included
     dvc gc --workspace --cloud --remote NAME     the same for each remote (`dvc remote list`)
  6. rm -rf mlruns; dvc repro    MLflow's local store is filled anew from the outputs; on a
                                 server: delete the older runs and model versions of
                                 {models}, then `mlflow gc`
Others who cloned the project do 2. to 6., too. Git holds no photos, but paths in an older
params.yaml or list may tell a name.
"""


def forget(
    table: pd.DataFrame, seen: pd.DataFrame, *, sha256: str | None, person: str | None, task: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """forgotten.csv's `table` with tombstones added, and the rows of `seen` that they hit.

    `seen`: all manifests' rows (task, sha256, id, person, phash, name, source, ...). With
    `person`, all pictures of that person get a tombstone of their own, so that they stay away
    where a source does not tell who is on them. `task` "": in all tasks.
    Raises `UserError` for a `sha256` that is neither whole nor the id of a picture in `seen`.
    """
    if task:
        seen = seen[seen.task == task]
    if person is not None:
        known = {name for name in set(seen.person) if name}
        names = {name for name in known if person_hash(name) == person_hash(person)}
        hit = seen[seen.person.isin(names)]
        new = [{"kind": "person", "hash": person_hash(person), "phash": ""}]
    else:
        sha256 = sha256.lower()
        hit = seen[(seen.sha256 == sha256) | (seen.id == sha256)]
        if not re.fullmatch("[0-9a-f]{64}", sha256) and hit.empty:
            raise UserError(
                f"--sha256 {sha256}: neither 64 hexadecimal digits nor the id of a picture in a "
                "data/raw/<task>/manifest.csv"
            )
        new = [] if len(hit) else [{"kind": "sha256", "hash": sha256, "phash": ""}]
    new += [{"kind": "sha256", "hash": r.sha256, "phash": r.phash} for r in hit.itertuples()]
    added = pd.DataFrame(new, dtype=object).assign(task=task)[COLUMNS]
    return pd.concat([table, added]).drop_duplicates(ignore_index=True), hit


def forget_door(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="stages.collect forget", description=__doc__)
    who = parser.add_mutually_exclusive_group(required=True)
    who.add_argument("--sha256", help="of the picture's bytes, or its id in manifest.csv")
    who.add_argument("--person", help="the name that the sources tell")
    parser.add_argument("task", nargs="?", default="", help="in this task only")
    options = parser.parse_args(arguments)
    enter(lambda: _forget(**vars(options)))


def _forget(sha256: str | None, person: str | None, task: str) -> None:
    params = load()
    if task:
        params.task(task)
    if person is not None and not person.strip():
        raise UserError("--person needs a name")
    Forgotten(FILE, task)  # refuses a damaged file
    seen = _manifests(Path("data/raw"))
    table, hit = forget(read_table(FILE), seen, sha256=sha256, person=person, task=task)
    write_table(FILE, table)
    tasks = sorted(set(hit.task)) or ([task] if task else list(params.tasks))
    sources = [
        str(params.tasks[task].collect.path / name)
        if source == "folder" and task in params.tasks
        else f"{source}: {name}"
        for task, source, name in zip(hit["task"], hit["source"], hit["name"], strict=True)
    ]
    print(f"{FILE}: {len(hit)} known pictures in {', '.join(tasks)} are out from now on")
    print(
        PURGE.format(
            file=FILE,
            sources="".join(f"\n       {place}" for place in sources) or "none is known yet",
            scratch=" ".join(f".search/{name} .cache/*/{name}" for name in tasks),
            champion=f"rm -r {' '.join(f'data/promote/{name}' for name in tasks)}; ",
            models=", ".join(f"face-{name}" for name in tasks),
        )
    )


def _manifests(raw: Path) -> pd.DataFrame:
    columns = ["task", "id", "sha256", "person", "phash", "source", "name"]
    tables = [
        read_table(path).assign(task=path.parent.name)[columns]
        for path in sorted(raw.glob("*/manifest.csv"))
    ]
    return pd.concat([pd.DataFrame(columns=columns, dtype=object), *tables], ignore_index=True)
