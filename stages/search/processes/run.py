"""A search in processes of its own, which MLflow shows while it goes on."""

import logging
import os
import shutil
import socket
from pathlib import Path

import msgspec

from stages.common.errors import UserError
from stages.common.files import digest_folders
from stages.records import attempts
from stages.records.folders import Folders
from stages.records.objective import Objective
from stages.records.params import Search, Task
from stages.records.shards import Shards
from stages.records.trials import TRIALS, Trials
from stages.records.trials import Search as Searched
from stages.records.weights import WEIGHTS
from stages.search.data import described, refuse_unlearnable
from stages.search.processes.child import ARCHITECTURE, CHIEF, RESULT, Child
from stages.search.processes.supervise import Supervisor
from stages.tracking.mirror import Mirror

log = logging.getLogger(__name__)
LISTEN = "SEARCH_CHIEF"  # host:port where the chief should listen, for workers elsewhere


def run(params: Task, at: Folders) -> tuple[Trials, Path]:
    """Search with `params.search` over the task's shards; returns what was found, and its folder.

    Trials are kept in `at.searches`. With several workers, or SEARCH_CHIEF=host:port in the
    environment, a chief proposes trials and workers train them. Raises `UserError`, or `SystemExit`
    when a process has ended with an error that it has printed.
    """
    refuse_unlearnable(params, at)
    parts = [at.shards / part for part in ("train", "val")]
    data = tuple(described(part, at.root / "dvc.lock") for part in parts)
    children = _children(at.task, digest_folders(*parts), params.search)
    with Supervisor(children, at.searches) as supervisor:
        announced, scratch = supervisor.announced()
        log.info("search %s, kept in %s", announced.search_id, scratch)
        if announced.skipped:
            _warn_of(announced.skipped, at)
        searched = Searched(
            search_id=announced.search_id,
            kind=params.kind,
            objective=Objective(params.search.objective),
            params=announced.params,
            data=data,
        )
        result = scratch / RESULT
        shutil.rmtree(result, ignore_errors=True)
        mirror = Mirror(at.task, searched, scratch)
        mirror.start()
        status, files, trials = "FAILED", {}, None
        try:
            supervisor.wait(params.search.max_minutes)
            status = "FINISHED"
            files[ARCHITECTURE] = (result / ARCHITECTURE).read_text("utf-8")
            trials = msgspec.structs.replace(TRIALS.read(result), data=data)
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            supervisor.kill()  # first, so that nobody writes attempts any more
            attempts.interrupt(scratch, "the search was stopped")
            mirror.finish(status, files, trials)
    assert trials  # else an exception is under way
    return trials, result


def _children(task: str, data: str, params: Search) -> list[Child]:
    """One process that does it all, or a chief and workers.

    By default the chief listens on a free port that no other machine can reach.
    """
    address = os.environ.get(LISTEN)
    if params.workers == 1 and not address:
        return [Child(task, data, attempts.ALONE)]
    host, _, port = (address or f"127.0.0.1:{_free_port()}").rpartition(":")
    if not host or not port.isdigit():
        raise UserError(f"{LISTEN} is {address!r}; it must be host:port")
    if address:
        log.info("another machine joins with: python -m stages.search.join %s %s", task, address)
    names = [CHIEF, *(f"worker-{n + 1}" for n in range(params.workers))]
    return [Child(task, data, name, (host, port)) for name in names]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _warn_of(skipped: list[str], at: Folders) -> None:
    listed = WEIGHTS.read(at.weights).pretrained
    why = [listed[block].note or "" for block in skipped if block in listed]
    log.warning(
        "without the weights that they start from, these blocks are not tried: %s\n%s",
        ", ".join(skipped),
        "\n".join(why),
    )


def join(chief: str, at: Folders) -> None:
    """Train trials for the search of the chief at `chief` (host:port), until it has none left."""
    host, _, port = chief.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"no chief at {chief} ({error}); on its machine, run {LISTEN}={chief} dvc repro"
        ) from error
    data = digest_folders(*(Shards(at.shards / part).folder for part in ("train", "val")))
    child = Child(at.task, data, f"{socket.gethostname()}-{os.getpid()}", (host, port))
    with Supervisor([child], at.searches) as supervisor:
        _, scratch = supervisor.announced()
        if not (scratch / "oracle.json").exists():
            raise UserError(
                f"the chief does not work on {scratch}: this checkout has other shards, parameters "
                "or code, or its .search is not the chief's folder"
            )
        supervisor.wait(None)
