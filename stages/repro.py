"""python -m stages.repro [--jobs N] [TARGET ...]: what `dvc repro` builds, with tasks side by side.

Tasks share nothing but params.yaml, so that each can have a `dvc repro` of its own, and a share of
the cores. A last `dvc repro` builds what belongs to all tasks. With one core, or one task to build,
it is `dvc repro` alone.

Ctrl-C ends what runs, but for a search, which keeps its best network; its task is then built to its
end. A second one ends everything.
"""

import argparse
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING

from stages.common.door import enter
from stages.common.errors import UserError
from stages.common.parallel import cores
from stages.records.folders import LOGS
from stages.records.json_file import JsonFile

if TYPE_CHECKING:
    from networkx import DiGraph

DVC = [sys.executable, "-m", "dvc", "--wait-for-lock", "repro"]
# In LOGS: stage -> seconds of its last run
SECONDS = JsonFile("seconds.json", dict[str, float], remedy="remove it")
MEMORY = 3e9  # bytes that a task takes at most, in `search`
PAUSE = 30  # seconds between two looks at what runs
TAIL = 15  # lines shown of a task that failed
STAGE = re.compile(r"(Running s|S)tage '(?P<name>[^']+)'")  # how DVC begins with a stage

log = logging.getLogger(__name__)


@dataclass
class Branch:
    """The stages of one task."""

    task: str
    stages: list[str]  # each after those that it needs
    took: dict[str, float] = field(default_factory=dict)  # stage -> seconds
    process: subprocess.Popen[str] | None = None
    place: int = 0  # of those that run at the same time
    stage: str = ""  # that runs now
    began: float = 0.0  # when, as `time.monotonic`
    said: str = ""  # its last line

    @property
    def log(self) -> Path:
        return LOGS / f"{self.task}.log"


def main(targets: list[str], jobs: int | None) -> int:
    """The exit status."""
    mend()
    first, found = branches(graph(), targets)
    jobs = min(jobs or _jobs(), len(found))
    if jobs > 1:
        if first and (status := _plain(first)):
            return status
        if not Build(found, jobs).run():
            return 1
    return _plain(targets)


def mend() -> None:
    """Takes away what a killed `dvc` has left: DVC would refuse to begin.

    It writes both its list of running processes and dvc.lock in place, so that each may be
    half-written. Nothing is built again because of a lost dvc.lock: DVC keeps what each stage
    made of its inputs in its cache.

    Raises `UserError` for a dvc.lock with conflicts of a merge, and outside of a project.
    """
    from dvc.exceptions import DvcException
    from dvc.lock import LockError
    from dvc.repo import Repo
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from dvc.utils import strictyaml

    try:
        with Repo() as repo, repo.lock:  # nobody else writes them now
            running = Path(repo.tmp_dir or "", "rwlock")
            if not _names_a_dvc(running):
                running.unlink(missing_ok=True)
            for path in (*Path().glob("dvc.lock"), *Path().glob("*/dvc.lock")):
                try:
                    strictyaml.load(str(path), COMPILED_LOCKFILE_SCHEMA, repo.fs)
                except DvcException as error:
                    if "\n<<<<<<< " in path.read_text("utf-8"):
                        remedy = f"keep one side: `git checkout --ours {path}`, or --theirs"
                        raise UserError(f"{path}: a merge left conflicts; {remedy}") from error
                    aside = path.replace(f"{path}.broken")
                    log.warning("%s was half-written; it is %s now", path, aside)
    except LockError:  # another `dvc` runs, and has read them
        return
    except DvcException as error:
        raise UserError(str(error)) from error


def _names_a_dvc(running: Path) -> bool:
    """Whether DVC's list of running processes is whole, and one of them runs still."""
    try:
        found = json.loads(running.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    processes = [*found.get("write", {}).values(), *chain(*found.get("read", {}).values())]
    return any(_is_dvc(process["pid"]) for process in processes)


def _is_dvc(pid: int) -> bool:
    """Whether this process is another `dvc`: the number of one that ended may be anybody's."""
    import psutil

    try:
        words = psutil.Process(pid).cmdline()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:  # another user's
        return True
    return pid != os.getpid() and any(Path(word).name == "dvc" for word in words)


def graph() -> "DiGraph":
    """The names of all stages, with edges to those that they need."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo
    from networkx import relabel_nodes

    try:
        with Repo() as repo:
            found = repo.index.graph
            return relabel_nodes(found, {stage: stage.addressing for stage in found})
    except DvcException as error:
        raise UserError(f"dvc.yaml: {error}") from error


def branches(stages: "DiGraph", targets: list[str]) -> tuple[list[str], list[Branch]]:
    """The stages that several tasks need, and the tasks, of all that `targets` need: stages, or
    files of stages; without any, those of dvc.yaml.

    Raises `UserError` for a target that there is not.
    """
    from networkx import descendants, dfs_postorder_nodes

    wanted: set[str] = set()
    for target in targets or ["dvc.yaml"]:
        found = [stage for stage in stages if target in (stage, _file(stage))]
        if targets and not found:
            raise UserError(f"there is no stage {target}; `dvc stage list` shows their names")
        wanted.update(found, *(descendants(stages, stage) for stage in found))
    tasks: dict[str, list[str]] = {}
    for stage in dfs_postorder_nodes(stages.subgraph(wanted)):
        if "@" in stage:
            tasks.setdefault(stage.partition("@")[2], []).append(stage)
    needed = {each for own in tasks.values() for stage in own for each in stages.successors(stage)}
    shared = sorted(each for each in needed if "@" not in each)
    return shared, [Branch(task, own) for task, own in sorted(tasks.items())]


def _file(stage: str) -> str:
    """The one that defines it: stages of other files than dvc.yaml have its name in theirs."""
    return stage.rpartition(":")[0] or "dvc.yaml"


class Build:
    """Builds branches, some at a time, those that took longest first."""

    def __init__(self, found: Iterable[Branch], jobs: int) -> None:
        self._known = SECONDS.read(LOGS) if SECONDS.path(LOGS).exists() else {}
        self._waiting = deque(sorted(found, key=self._left, reverse=True))
        self._all = tuple(self._waiting)
        self._cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self._jobs, self._stops, self._ended, self._failed = jobs, 0, 0, False
        self._free: list[int] = []  # places that no branch is left for
        self._total = sum(len(branch.stages) for branch in self._all)
        self._lock = threading.Lock()

    def run(self) -> bool:
        """Whether all branches were built."""
        LOGS.mkdir(parents=True, exist_ok=True)
        (LOGS / ".gitignore").write_text("*\n")
        names = ", ".join(branch.task for branch in self._all)
        log.info("%s: %d at a time; what they say is in %s", names, self._jobs, LOGS)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        workers = [threading.Thread(target=self._work, args=(n,)) for n in range(self._jobs)]
        for worker in workers:
            worker.start()
        shown = time.monotonic()
        while any(worker.is_alive() for worker in workers):
            time.sleep(0.2)  # `join` would keep signals waiting
            if time.monotonic() - shown > PAUSE:
                self._show_running()
                shown = time.monotonic()
        SECONDS.write(LOGS, self._known)
        if self._stops:
            raise KeyboardInterrupt
        return not self._failed

    def _stop(self, number: int, _: object) -> None:
        """The first Ctrl-C is passed on; anything else ends all at once."""
        self._stops += 1
        self._waiting.clear()
        gentle = number == signal.SIGINT and self._stops == 1
        if gentle:
            log.info("Ctrl-C: a search keeps its best so far; once more ends everything")
        for branch in self._all:
            if branch.process and branch.process.poll() is None:
                os.killpg(branch.process.pid, signal.SIGINT if gentle else signal.SIGTERM)

    def _work(self, place: int) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._free.append(place)
                    self._share_cores()
                    return
                branch = self._waiting.popleft()
                branch.place, branch.process = place, self._start(branch)
                if self._stops:  # a moment ago, when `_stop` did not see this process yet
                    os.killpg(branch.process.pid, signal.SIGTERM)
                self._share_cores()
            with branch.log.open("w", encoding="utf-8") as file:
                self._follow(branch, branch.process, file)
            with self._lock:
                if branch.process.wait():
                    self._failed = True
                    self._show_end(branch)

    def _start(self, branch: Branch) -> subprocess.Popen[str]:
        return subprocess.Popen(
            # Only these: DVC locks what a stage reads, also for looking at the stage that wrote it.
            [*DVC, "--single-item", *branch.stages],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,  # a Ctrl-C comes from `_stop`, once
            # Two processes could not share a GPU whose whole memory one of them has taken.
            env=os.environ | {"TF_FORCE_GPU_ALLOW_GROWTH": "true", "PYTHONUNBUFFERED": "1"},
        )

    def _share_cores(self) -> None:
        """Each running branch has its own cores: threads of two would get in each other's way.

        The stages that it starts from now on inherit them. A place keeps its cores, because a stage
        that runs keeps those that it began with. Those of free places go to the branches left.
        """
        running = [each for each in self._all if each.process and each.process.poll() is None]
        for number, branch in enumerate(running):
            places = [branch.place, *self._free[number :: len(running)]]
            own = [core for place in places for core in self._cpus[place :: self._jobs]]
            if own and branch.process:
                try:
                    os.sched_setaffinity(branch.process.pid, own)
                except ProcessLookupError:  # it has just ended
                    continue

    def _follow(self, branch: Branch, process: subprocess.Popen[str], file: IO[str]) -> None:
        """Until it ends: write what it says to `file`, and a line for each stage."""
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            file.flush()
            branch.said = line.strip() or branch.said
            if match := STAGE.match(line):
                self._end(branch, branch.stage, time.monotonic() - branch.began)
                branch.stage, branch.began, branch.said = match["name"], time.monotonic(), ""
                if not line.startswith("Running"):
                    self._end(branch, branch.stage, 0)
        if not process.wait():
            self._end(branch, branch.stage, time.monotonic() - branch.began)
        branch.stage = ""

    def _end(self, branch: Branch, stage: str, seconds: float) -> None:
        """`seconds`: 0 where nothing had changed."""
        if stage not in branch.stages or stage in branch.took:
            return
        with self._lock:
            branch.took[stage] = seconds
            self._ended += 1
            if not seconds:
                return
            self._known[stage] = round(seconds, 1)
            left = sum(map(self._left, self._all)) / self._jobs
            about = f", about {left / 60:.0f} min left" if left > 60 else ""
            place = f"{self._ended} of {self._total} stages{about}"
            log.info("%-20s %5.0f s   %s", stage, seconds, place)

    def _show_running(self) -> None:
        for branch in self._all:
            if branch.stage and branch.stage not in branch.took:
                seconds = time.monotonic() - branch.began
                log.info("%-20s %5.0f s   so far: %s", branch.stage, seconds, branch.said[:100])

    def _left(self, branch: Branch) -> float:
        """Seconds that the rest of a branch took the last time, or takes in other tasks."""
        names = {name.partition("@")[0]: seconds for name, seconds in self._known.items()}
        rest = [stage for stage in branch.stages if stage not in branch.took]
        return sum(self._known.get(each, names.get(each.partition("@")[0], 0)) for each in rest)

    def _show_end(self, branch: Branch) -> None:
        if self._stops:
            return
        lines = branch.log.read_text("utf-8").replace("\r", "\n").splitlines()
        log.error("%s failed; the end of %s:", branch.task, branch.log)
        for line in lines[-TAIL:]:
            log.error("  %s", line)


def _plain(targets: list[str]) -> int:
    return subprocess.run([*DVC, *targets], check=False).returncode


def _jobs() -> int:
    """A task a core, as far as there is memory."""
    import psutil

    return max(1, min(cores(), int(psutil.virtual_memory().available / MEMORY)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.repro", description=__doc__)
    parser.add_argument("--jobs", type=int, help="tasks at a time; without it, as many as cores")
    parser.add_argument("targets", nargs="*", help="as of `dvc repro`; without it, everything")
    arguments = parser.parse_args()
    enter(lambda: sys.exit(main(arguments.targets, arguments.jobs)))
