"""`python -m stages.repro` with the real DVC, on small stages that say when they run."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from stages.common.errors import UserError
from stages.common.parallel import cores
from stages.repro import branches, graph, mend
from tests.conftest import REPO

pytestmark = pytest.mark.slow

WORK = """
import os, pathlib, signal, sys, time
name, seconds = sys.argv[1:3]
log = open("when", "a", buffering=1)
log.write(f"{name} begins\\n")
with open("cores", "a") as cores:
    cores.write(f"{name} {sorted(os.sched_getaffinity(0))}\\n")
if name == "search-b" and pathlib.Path("slow").exists():
    seconds = pathlib.Path("slow").read_text()
end = time.monotonic() + float(seconds)
try:
    while time.monotonic() < end:
        time.sleep(0.02)
        if pathlib.Path("break").exists() and pathlib.Path("break").read_text() == name:
            sys.exit(f"ERROR: {name} is broken")
except KeyboardInterrupt:
    if not name.startswith("search"):
        raise
    log.write(f"{name} keeps its best\\n")
pathlib.Path("out").mkdir(exist_ok=True)
pathlib.Path("out", name).write_text(f"{name} of {sorted(sys.argv[3:])}")
log.write(f"{name} ends\\n")
"""
TASKS = ["a", "b", "c"]


def stage(name: str, *needs: str, seconds: float = 0.3) -> dict:
    needs = tuple(f"out/{each}" for each in needs)
    command = f"exec python work.py {name} {seconds} {' '.join(needs)}"
    return {"cmd": command, "deps": ["work.py", *needs], "outs": [f"out/{name}"]}


def foreach(name: str, *needs: str, seconds: float = 0.3) -> dict:
    return {"foreach": TASKS, "do": stage(f"{name}-${{item}}", *needs, seconds=seconds)}


@pytest.fixture
def project(tmp_path) -> Path:
    stages = {
        "params": stage("params"),
        "collect": foreach("collect", "params"),
        "search": foreach("search", "collect-${item}", "params", seconds=1.5),
        "report": foreach("report", "collect-${item}", "search-${item}"),
        "index": stage("index", *(f"report-{task}" for task in TASKS)),
    }
    (tmp_path / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (tmp_path / "work.py").write_text(WORK)
    run(tmp_path, "dvc", "init", "--no-scm", "-q")
    return tmp_path


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PYTHONPATH": str(REPO), "DVC_NO_ANALYTICS": "1", "PATH": path}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess:
    command = (sys.executable, "-m", *command)
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "stages.repro", "--jobs", "2"],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def happened(folder: Path) -> list[str]:
    path = folder / "when"
    return path.read_text().splitlines() if path.exists() else []


def wait_until(folder: Path, line: str) -> None:
    deadline = time.monotonic() + 60
    while line not in happened(folder):
        assert time.monotonic() < deadline, happened(folder)
        time.sleep(0.02)


def whole(folder: Path, tmp_path: Path) -> bool:
    """Whether everything is as one `dvc repro` makes it, which then finds nothing to do."""
    serial = tmp_path / "serial"
    serial.mkdir()
    for name in ("dvc.yaml", "work.py"):
        (serial / name).write_bytes((folder / name).read_bytes())
    run(serial, "dvc", "init", "--no-scm", "-q")
    assert run(serial, "dvc", "repro").returncode == 0
    locks = [yaml.safe_load((each / "dvc.lock").read_text()) for each in (folder, serial)]
    outs = [
        {path.name: path.read_text() for path in (each / "out").iterdir()}
        for each in (folder, serial)
    ]
    before = len(happened(folder))
    assert "Running" not in run(folder, "dvc", "repro").stdout
    return locks[0] == locks[1] and outs[0] == outs[1] and len(happened(folder)) == before


def test_tasks_run_side_by_side_and_the_outputs_are_those_of_one_repro(project, tmp_path):
    done = start(project)
    said = done.communicate(timeout=120)[0]
    assert done.returncode == 0, said
    when = happened(project)
    assert when[:2] == ["params begins", "params ends"]
    assert when[-2:] == ["index begins", "index ends"]
    running = most = 0
    for line in when:
        running += 1 if line.endswith("begins") else -1
        most = max(most, running)
    assert most == 2
    for task in TASKS:
        own = [line.split("-")[0] for line in when if f"-{task} begins" in line]
        assert own == ["collect", "search", "report"]
    lines = re.findall(r"^(\w+)@(\w) +\d+ s +\d of 9 stages", said, re.MULTILINE)
    assert {f"{name}-{task}" for name, task in lines} == {
        line.split()[0] for line in when if "-" in line
    }
    assert whole(project, tmp_path)


@pytest.mark.skipif(cores() < 2, reason="one core is never shared out")
def test_a_task_that_begins_does_not_get_the_core_of_a_stage_that_runs(project):
    (project / "slow").write_text("8")  # it runs on while a ends and c begins
    done = start(project)
    said = done.communicate(timeout=120)[0]
    assert done.returncode == 0, said
    when = happened(project)
    assert when.index("collect-c begins") < when.index("search-b ends")
    lines = (line.split(maxsplit=1) for line in (project / "cores").read_text().splitlines())
    own = {name: set(json.loads(numbers)) for name, numbers in lines}
    assert not own["search-b"] & own["collect-c"]


def test_a_task_that_fails_is_shown_and_the_others_are_finished(project, tmp_path):
    (project / "break").write_text("search-b")
    done = start(project)
    said = done.communicate(timeout=120)[0]
    assert done.returncode == 1
    assert "b failed" in said and "ERROR: search-b is broken" in said
    ended = {line.split()[0] for line in happened(project) if line.endswith("ends")}
    assert ended == {"params", "collect-b"} | {
        f"{name}-{task}" for name in ("collect", "search", "report") for task in "ac"
    }
    (project / "break").unlink()
    assert start(project).communicate(timeout=120) and whole(project, tmp_path)


def test_ctrl_c_ends_all_but_a_search_that_keeps_its_best(project, tmp_path):
    text = (project / "dvc.yaml").read_text()
    slow = re.sub(r"(search-\$\{item\}) 1.5", r"\1 30", text)
    (project / "dvc.yaml").write_text(slow)
    process = start(project)
    wait_until(project, "search-a begins")
    wait_until(project, "search-b begins")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[0]
    assert process.returncode == -signal.SIGINT, said
    assert "Traceback" not in said and "once more ends everything" in said
    ended = [line for line in happened(project) if line.endswith(("best", "ends"))]
    assert {"search-a keeps its best", "search-a ends", "report-a ends"} <= set(ended)
    assert not [line for line in happened(project) if "-c" in line or "index" in line]

    process = start(project)
    wait_until(project, "search-c begins")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) != 0
    assert "index begins" not in happened(project)


def test_killed_in_the_middle_the_next_run_finishes_the_rest(project, tmp_path):
    process = start(project)
    wait_until(project, "search-b begins")
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    process.kill()
    for child in children:  # two `dvc repro`, each with its stage in its process group
        os.killpg(int(child), signal.SIGKILL)
    process.wait()
    while any(map(psutil.pid_exists, map(int, children))):
        time.sleep(0.05)  # DVC would take them for alive
    again = start(project)
    said = again.communicate(timeout=120)[0]
    assert again.returncode == 0, said
    assert whole(project, tmp_path)
    assert happened(project).count("params begins") == 1


def test_a_dvc_killed_while_it_wrote_its_own_files_keeps_nobody_from_building(project, monkeypatch):
    assert run(project, "stages.repro").returncode == 0
    lock, running = project / "dvc.lock", project / ".dvc/tmp/rwlock"
    before, ran = lock.read_text(), happened(project)
    monkeypatch.chdir(project)
    # Nothing, in the middle of a key, and after the name of a stage
    for end in (0, before.index("md5: ") + 2, before.index("  search@b:\n") + 12):
        lock.write_text(before[:end])
        running.write_text('{"write": {"out/par'[:end])
        mend()
        assert not lock.exists() and not running.exists()
        assert (project / "dvc.lock.broken").read_text() == before[:end]
    lock.write_text(before[:end])
    running.write_text("")
    assert run(project, "dvc", "repro").returncode, "DVC reads such files: nothing to mend"
    done = run(project, "stages.repro", "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert "dvc.lock was half-written; it is dvc.lock.broken now" in done.stderr
    assert yaml.safe_load(lock.read_text()) == yaml.safe_load(before)
    assert happened(project) == ran


def test_a_process_with_the_number_of_a_killed_dvc_is_not_waited_for(project):
    (project / "out").mkdir()
    busy = {"write": {str(project / "out/params"): {"pid": os.getpid(), "cmd": "dvc repro"}}}
    (project / ".dvc/tmp/rwlock").write_text(json.dumps(busy))
    refused = run(project, "dvc", "repro")
    assert refused.returncode and "busy" in refused.stderr
    done = run(project, "stages.repro", "params")
    assert done.returncode == 0 and happened(project) == ["params begins", "params ends"]


def test_a_dvc_that_runs_keeps_what_it_writes(project):
    (project / "slow").write_text("20")
    other = subprocess.Popen(
        [sys.executable, "-m", "dvc", "repro", "search@b"], cwd=project, env=environment()
    )
    wait_until(project, "search-b begins")
    refused = run(project, "stages.repro", "search@b")
    assert refused.returncode and "busy" in refused.stderr
    other.terminate()
    other.wait()


def test_a_conflict_of_git_in_dvc_lock_is_left_to_people(project, monkeypatch):
    conflict = "schema: '2.0'\n<<<<<<< HEAD\n=======\n>>>>>>> theirs\n"
    (project / "dvc.lock").write_text(conflict)
    monkeypatch.chdir(project)
    with pytest.raises(UserError, match=r"dvc\.lock: a merge left conflicts"):
        mend()
    assert (project / "dvc.lock").read_text() == conflict


def test_targets(project):
    done = run(project, "stages.repro", "--jobs", "2", "search@a", "collect@c")
    assert done.returncode == 0, done.stderr
    ended = [line.split()[0] for line in happened(project) if line.endswith("ends")]
    assert sorted(ended) == ["collect-a", "collect-c", "params", "search-a"]
    unknown = run(project, "stages.repro", "search@z")
    assert unknown.returncode == 1 and "there is no stage search@z" in unknown.stderr


def test_the_tasks_of_this_project(monkeypatch):
    monkeypatch.chdir(REPO)
    stages = graph()
    shared, found = branches(stages, [])
    assert shared == ["code", "params"]
    assert {branch.task for branch in found} == set(
        yaml.safe_load((REPO / "params.yaml").read_text())["tasks"]
    )
    for branch in found:
        assert len(branch.stages) == 12
        for number, name in enumerate(branch.stages):
            own = {each for each in stages.successors(name) if "@" in each}
            assert own <= set(branch.stages[:number])
    _, asked = branches(stages, ["export/dvc.yaml"])
    assert {branch.stages[-1] for branch in asked} == {
        f"export/dvc.yaml:export@{branch.task}" for branch in found
    }
    assert all("promote" in "".join(branch.stages) for branch in asked)
