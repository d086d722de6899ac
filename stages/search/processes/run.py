"""A search in processes of its own, which MLflow shows while it goes on."""

import logging
import shutil
from pathlib import Path

import msgspec

from stages.common.files import digest_folders
from stages.records import attempts
from stages.records.folders import Folders
from stages.records.objective import Objective
from stages.records.params import Task
from stages.records.trials import TRIALS, Trials
from stages.records.trials import Search as Searched
from stages.records.weights import WEIGHTS
from stages.search.data import described, refuse_unlearnable
from stages.search.processes import cluster
from stages.search.processes.child import ARCHITECTURE, RESULT, Child
from stages.search.processes.supervise import Supervisor
from stages.tracking.mirror import Mirror

log = logging.getLogger(__name__)


def run(params: Task, at: Folders) -> tuple[Trials, Path]:
    """Search with `params.search` over the task's shards; returns what was found, and its folder.

    Trials are kept in `at.searches`. With several workers, or SEARCH_RAY in the environment, Ray
    tasks train them. Raises `UserError`, or `SystemExit` when the search's process has ended with
    an error that it has printed.
    """
    refuse_unlearnable(params, at)
    parts = [at.shards / part for part in ("train", "val")]
    data = tuple(described(part, at.root / "dvc.lock") for part in parts)
    with (
        cluster.environment(at.task, params.search) as environment,
        Supervisor(Child(at.task, digest_folders(*parts), environment), at.searches) as supervisor,
    ):
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
            supervisor.child.kill()  # first, so that nobody writes attempts any more
            attempts.interrupt(scratch, "the search was stopped")
            mirror.finish(status, files, trials)
    assert trials  # else an exception is under way
    return trials, result


def _warn_of(skipped: list[str], at: Folders) -> None:
    listed = WEIGHTS.read(at.weights).pretrained
    why = [listed[block].note or "" for block in skipped if block in listed]
    log.warning(
        "without the weights that they start from, these blocks are not tried: %s\n%s",
        ", ".join(skipped),
        "\n".join(why),
    )
