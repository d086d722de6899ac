"""python -m stages.search age"""

import json
import logging
import os
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import yaml

from stages.common.door import door
from stages.common.errors import UserError
from stages.common.files import digest_folders, new_folder
from stages.common.tables import read_table
from stages.records.params import Search, read
from stages.records.shards import Shards
from stages.search.journal import attempts
from stages.search.processes.supervise import Child, Supervisor
from stages.tracking.mirror import Mirror

log = logging.getLogger(__name__)


def main(task: str) -> None:
    params = read(task)
    folders = [Path(f"data/shards/{task}/{part}") for part in ("train", "val")]
    if params.kind == "regression":
        refuse_unknown_values(task, folders)
    data = [described(folder) for folder in folders]
    scratch: Path | None = None

    def crashed(worker: str, reason: str) -> bool:
        if not scratch:
            return False
        return bool(attempts.interrupt(scratch, reason, _now(), worker=worker, crashed=True))

    children = processes(task, digest_folders(*folders), params.search)
    with Supervisor(children, crashed) as supervisor:
        search = supervisor.announced() | {"data": data, "objective": params.search.objective}
        scratch = Path(f".search/{task}/{search['search_id']}")
        log.info("search %s, kept in %s", search["search_id"], scratch)
        result = scratch / "result"
        shutil.rmtree(result, ignore_errors=True)
        mirror = Mirror(task, search, scratch)
        mirror.start()
        status, files = "FAILED", {}
        try:
            supervisor.wait(params.search.max_minutes)
            status = "FINISHED"
            files["architecture.txt"] = (result / "architecture.txt").read_text("utf-8")
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            supervisor.kill()  # first, that nobody writes any more
            attempts.interrupt(scratch, "the search was stopped", _now())
            mirror.finish(status, files)
    content = json.loads((result / "trials.json").read_text("utf-8")) | {"data": data}
    with new_folder(Path(f"data/search/{task}")) as out:
        shutil.copy(result / "model.keras", out)
        (out / "trials.json").write_text(json.dumps(content, indent=1), encoding="utf-8")
        classes = json.dumps(params.classes, ensure_ascii=False, indent=1)
        (out / "classes.json").write_text(classes, encoding="utf-8")
    best = next(t for t in content["trials"] if t["trial"] == content["best"])
    log.info("best: trial %d, %s %.4f", best["trial"] + 1, search["objective"], best["score"])
    if content["stopped"]:
        log.info("ended early; `dvc repro -f -s search@%s` goes on with this search", task)


def processes(task: str, data: str, params: Search) -> list[Child]:
    """One process that does it all; or a chief, who proposes, and workers, who train.

    SEARCH_CHIEF=host:port is where the chief listens; without it, a free port of this machine that
    no other can reach.
    """
    address = os.environ.get("SEARCH_CHIEF")
    if params.workers == 1 and not address:
        return [Child(task, data, "alone")]
    host, _, port = (address or f"127.0.0.1:{free_port()}").rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"SEARCH_CHIEF is {address!r}; it must be host:port")
    names = ["chief", *(f"worker-{n + 1}" for n in range(params.workers))]
    if address:
        log.info("another machine joins with: python -m stages.search.join %s %s", task, address)
    return [Child(task, data, name, (host, port)) for name in names]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def refuse_unknown_values(task: str, folders: list[Path]) -> None:
    """Raises `UserError` where there are photos whose number nobody has told."""
    if all(Shards(folder).values is not None for folder in folders):
        return
    splits = Path(f"data/splits/{task}/splits.csv")
    photos = read_table(splits)
    lacking = photos.value == ""
    raise UserError(
        f"tasks.{task}.kind: regression learns numbers, and {lacking.sum()} of {len(lacking)} "
        f"photos have none (column `value` of {splits}). Let collect.sources tell it: columns "
        "'(?P<value>...)' for a folder's file names, a column `value` in a list of addresses, or "
        "bins for a data set of numbers; or set kind to classification"
    )


def described(folder: Path) -> dict[str, Any]:
    """A part's shards for MLflow: path, rows and DVC's hash of it, where dvc.lock has one."""
    lock = Path("dvc.lock")
    stages = yaml.safe_load(lock.read_text("utf-8"))["stages"] if lock.exists() else {}
    hashes = {out["path"]: out["md5"] for stage in stages.values() for out in stage.get("outs", [])}
    return {
        "path": str(folder),
        "md5": hashes.get(str(folder), "unknown"),
        "rows": len(Shards(folder)),
        "context": {"train": "training", "val": "validation"}[folder.name],
    }


def _now() -> int:
    return int(time.time() * 1000)


if __name__ == "__main__":
    door(main)
