"""python -m benchmarks.incremental PHOTOS [--new 10] [--weights FOLDER]: what a few photos cost.

PHOTOS holds age/{minor,young,middle,senior}. In a copy of this checkout, `dvc repro matte@age`
first builds all photos but `--new` of them, then all. A stage's time is that of its process, with
imports; the rest of `dvc repro` is DVC's. `start` is a stage that has nothing to do, which hardly
depends on the number of photos. Then, for each session, photos a second with one and two processes,
and the most memory of a stage with all its processes, for all photos and for a quarter of them
(resident sizes added up, sampled 20 times a second).
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import yaml

from benchmarks.checkout import copy_checkout

TASK = "age"
STAGES = ("extract", "matte")
TARGET = 0.05
PRISMA = {
    **{"file": "prisma_nchw.onnx", "size": 256, "mean": [0, 0, 0], "std": [1, 1, 1]},
    **{"channel": 0, "activation": "none", "mirror": True},
}
SESSIONS = {
    "yunet, prisma_nchw mirrored": ("yunet", {"session": "onnx", "onnx": PRISMA}),
    "yunet, grabcut": ("yunet", {"session": "grabcut", "onnx": None}),
    "haar, grabcut": ("haar", {"session": "grabcut", "onnx": None}),
}
CLOCK = """
import json, subprocess, sys, time
start = time.perf_counter()
code = subprocess.call([sys.executable, "-m", *sys.argv[1:]])
seconds = time.perf_counter() - start
with open("clock.jsonl", "a") as file:
    file.write(json.dumps([sys.argv[1], seconds]) + "\\n")
sys.exit(code)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--new", type=int, default=10)
    parser.add_argument("--weights", type=Path, help="a folder, as weights.local; PHOTOS/weights")
    arguments = parser.parse_args()
    weights = (arguments.weights or arguments.photos / "weights").resolve()
    print(f"{'':30}{'photos':>8}{'extract':>9}{'matte':>8}{'both':>8}{'share':>8}{'DVC':>7}   (s)")
    for name, (detector, matte) in SESSIONS.items():
        needs = [matte["onnx"]["file"]] if matte["onnx"] else []
        if not all((weights / file).is_file() for file in needs):
            print(f"{name:30}cannot run: {needs[0]} is not in {weights}")
            continue
        with tempfile.TemporaryDirectory() as folder:
            compare(name, Path(folder), arguments.photos, arguments.new, weights, detector, matte)


def compare(
    name: str, root: Path, photos: Path, new: int, weights: Path, detector: str, matte: dict
) -> None:
    files = sorted(path for path in (photos / TASK).rglob("*") if path.is_file())
    spread = max(len(files) // new, 1)
    later = files[::spread][:new]  # from all classes
    project = checkout(root / "project", root / "photos", weights, detector, matte)
    add(root / "photos", [path for path in files if path not in later])
    first = repro(project)
    add(root / "photos", later)
    second = repro(project)
    start = {stage: run(project, stage)[0] for stage in STAGES}
    rows = {"first": (len(files) - new, first), "with new photos": (len(files), second)}
    whole = sum(first[stage] for stage in STAGES)
    for what, (count, took) in rows.items():
        both = sum(took[stage] for stage in STAGES)
        share = f"{both / whole:.1%}"
        print(
            f"{name if what == 'first' else '  ' + what:30}{count:8}{took['extract']:9.2f}"
            f"{took['matte']:8.2f}{both:8.2f}{share:>8}{took['dvc']:7.1f}"
            + (f"   target <= {TARGET:.0%}" if what != "first" else "")
        )
    both = sum(start.values())
    print(
        f"{'  start, nothing to do':30}{len(files):8}{start['extract']:9.2f}{start['matte']:8.2f}"
        f"{both:8.2f}{f'{both / whole:.1%}':>8}"
    )
    for count, processes in ((len(files), 1), (len(files), 2), (len(files) // 4, 2)):
        if count < len(files):
            shutil.rmtree(root / "photos")
            add(root / "photos", files[::4])
            repro(project)
        shutil.rmtree(project / ".cache")
        took = {stage: run(project, stage, processes) for stage in STAGES}
        print(
            f"{f'  {processes} at a time':30}{count:8}   "
            + "; ".join(
                f"{stage} {count / (seconds - start[stage]):.0f} photos a second, {memory:.0f} MB"
                for stage, (seconds, memory) in took.items()
            ),
            flush=True,
        )


def checkout(project: Path, photos: Path, weights: Path, detector: str, matte: dict) -> Path:
    """This checkout's files, with one task whose photos come from `photos`."""
    copy_checkout(project)
    params = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    task = params["tasks"][TASK]
    task["collect"] = {"path": str(photos), "sources": [{"source": "folder"}]}
    task |= {"extract": {"detector": detector}, "matte": matte}
    content = params | {
        "weights": {"local": str(weights), "download": False},
        "tasks": {TASK: task},
    }
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (project / "params.yaml").write_text(text, encoding="utf-8")
    (project / "clock.py").write_text(CLOCK)
    dag = (project / "dvc.yaml").read_text(encoding="utf-8")
    dag = dag.replace("cmd: python -m stages.", "cmd: python clock.py stages.")
    (project / "dvc.yaml").write_text(dag, encoding="utf-8")
    return project


def add(folder: Path, files: list[Path]) -> None:
    for path in files:
        (folder / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path.parent.name / path.name)


def repro(project: Path) -> dict[str, float]:
    """Seconds of each stage that ran, and `dvc`: of the rest."""
    (project / "clock.jsonl").unlink(missing_ok=True)
    start = time.perf_counter()
    command(project, "dvc", "repro", f"matte@{TASK}")
    seconds = time.perf_counter() - start
    lines = (project / "clock.jsonl").read_text().splitlines()
    took = {name.removeprefix("stages."): clock for name, clock in map(json.loads, lines)}
    return took | {"dvc": seconds - sum(took.values())}


def run(project: Path, stage: str, processes: int | None = None) -> tuple[float, float]:
    """Seconds of a stage without DVC, and MB at most in all its processes together."""
    (project / "clock.jsonl").unlink(missing_ok=True)
    pinned = sorted(os.sched_getaffinity(0))[:processes]
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, pinned)  # as many processes as there are cores to run on
    try:
        clock = psutil.Popen(
            [sys.executable, "clock.py", f"stages.{stage}", TASK],
            cwd=project,
            stderr=subprocess.DEVNULL,
        )
    finally:
        os.sched_setaffinity(0, before)
    most = 0
    while clock.poll() is None:
        most = max(most, sum(map(resident, clock.children(recursive=True))))
        time.sleep(0.05)
    if clock.returncode:
        raise SystemExit(f"stages.{stage} failed in {project}")
    return json.loads((project / "clock.jsonl").read_text())[1], most / 2**20


def resident(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
        return process.memory_info().rss
    return 0


def command(project: Path, *words: str) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        words, cwd=project, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}\n{done.stderr}")


if __name__ == "__main__":
    main()
