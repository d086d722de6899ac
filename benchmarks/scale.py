"""python -m benchmarks.scale [--sizes 1000 10000]: how cost grows with the photos.

For each size, small portraits are drawn into a folder, and a copy of this checkout runs its stages
on them, from collecting to the first trial of a search, each by a `dvc repro` of its own. Of each
stage: seconds, seconds of CPU, the most memory that its processes held together (proportional
sizes, sampled 5 times a second), what it adds to disk and files, and what DVC takes around it.
Growth between two sizes is the exponent k of n^k; of CPU it does not depend on other work.

Settings are those of a small machine: photos of 160 pixels, crops of 96, 2 copies of 64, and one
trial of a head on fixed features (`edges`). Each drawn person has 8 photos, whose names tell it.
`--session`: as `matte.session`. `--weights`: a folder as `weights.local`. `--results`: a file to
which each stage's figures are appended when it ends. The table shows all that are in it, so that
sizes can be run one by one.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import psutil
import yaml

from benchmarks.checkout import ROOT, copy_checkout
from stages.collect.synthetic import Spec, draw, plan
from stages.common.parallel import map_cores

TASK = "age"
STAGES = ("collect", "extract", "matte", "split", "suspects", "augment", "search")
SIDE = 160  # pixels of a photo
SHOTS = 8  # photos of a person
# Runs a stage and says what it took; DVC's own is what is missing to the whole.
CLOCK = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
code = subprocess.call([sys.executable, "-m", *sys.argv[1:]])
used = resource.getrusage(resource.RUSAGE_CHILDREN)
took = {"seconds": time.perf_counter() - start, "cpu": used.ru_utime + used.ru_stime}
with open("clock.json", "w") as file:
    json.dump(took, file)
sys.exit(code)
"""


@dataclass(frozen=True)
class Cost:
    """Of one stage at one size."""

    stage: str
    photos: int
    seconds: float
    cpu: float
    megabytes: float  # memory
    disk: float  # megabytes added, DVC's cache included
    files: int  # added
    dvc_seconds: float
    dvc_cpu: float
    dvc_megabytes: float

    @property
    def whole_seconds(self) -> float:
        return self.seconds + self.dvc_seconds

    @property
    def whole_cpu(self) -> float:
        return self.cpu + self.dvc_cpu


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.scale", description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--session", default="auto")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--results", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = (arguments.results or Path(name, "results.jsonl")).resolve()
        for size in arguments.sizes:
            measure(size, arguments, Path(name, str(size)), results)
        show([Cost(**json.loads(line)) for line in results.read_text("utf-8").splitlines()])


def measure(size: int, arguments: argparse.Namespace, root: Path, results: Path) -> None:
    draw_photos(size, root / "photos")
    project = checkout(root / "project", root / "photos", arguments)
    repro(project, "code")
    repro(project, "params")
    repro(project, f"weights@{TASK}")
    for stage in STAGES:
        disk, files = usage(project)
        seconds, cpu, memory, dvc_memory = repro(project, f"{stage}@{TASK}")
        own = json.loads((project / "clock.json").read_text("utf-8"))
        more_disk, more_files = usage(project)
        cost = Cost(
            stage,
            size,
            **own,
            megabytes=memory,
            disk=more_disk - disk,
            files=more_files - files,
            dvc_seconds=seconds - own["seconds"],
            dvc_cpu=cpu - own["cpu"],
            dvc_megabytes=dvc_memory,
        )
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(cost)) + "\n")
        print(cost, file=sys.stderr, flush=True)
    shutil.rmtree(root)


def draw_photos(size: int, folder: Path) -> None:
    """`size` portraits, in a folder for each class of the task."""
    classes = list(params()["tasks"][TASK]["classes"])
    people = math.ceil(size / SHOTS / len(classes))
    specs = plan(classes, signal="age", people=people, photos=1, wild=0, size=SIDE, seed=1)
    for name in classes:
        (folder / name).mkdir(parents=True)
    counts = [len(part) for part in np.array_split(np.arange(size), len(specs))]
    jobs = list(zip(specs, counts, strict=True))
    for _ in map_cores(partial(draw_person, folder), jobs, desc="draw", total=len(jobs)):
        pass


def draw_person(folder: Path, job: tuple[Spec, int]) -> None:
    """Some photos of one drawn person. They differ as no two pictures of one shot do: the features
    move against each other, before other backgrounds."""
    spec, count = job
    photo, rng = draw(spec), np.random.default_rng(spec.photo_seed)
    grid = np.mgrid[:SIDE, :SIDE][::-1].astype(np.float32)  # x and y of every pixel
    for shot in range(count):
        moves = rng.normal(0, 0.02 * SIDE, (2, 5, 5)).astype(np.float32)
        x, y = (g + cv2.resize(move, (SIDE, SIDE)) for g, move in zip(grid, moves, strict=True))
        person = cv2.remap(photo.image, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.remap(photo.mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        wall = rng.uniform(0, 255, (6, 6, 3)).astype(np.float32)
        wall = cv2.resize(wall, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
        share = cv2.merge([alpha.astype(np.float32) / 255] * 3)
        picture = person * share + wall * (1 - share)
        picture *= rng.uniform(0.85, 1.1, 3).astype(np.float32)
        picture += 2 * rng.standard_normal((SIDE, SIDE, 1), np.float32)
        path = folder / spec.label / f"{spec.person}__{shot}.jpg"
        cv2.imwrite(str(path), picture.clip(0, 255).astype(np.uint8)[..., ::-1])


def params() -> dict:
    return yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))


def checkout(project: Path, photos: Path, arguments: argparse.Namespace) -> Path:
    """This checkout's files, with one task whose photos come from `photos`."""
    copy_checkout(project)
    content = params()
    if arguments.weights:
        content["weights"]["local"] = str(arguments.weights.resolve())
    content["tasks"] = {TASK: content["tasks"][TASK]}
    source = {"source": "folder", "person": "^(.+?)__"}
    content["tasks"][TASK]["collect"] = {"path": str(photos), "sources": [source]}
    defaults = content["defaults"]
    defaults["extract"]["size"] = 96
    defaults["matte"]["session"] = arguments.session
    defaults["augment"] |= {"copies": 2, "size": 64}
    content["tasks"][TASK]["search"] = {
        **{"max_trials": 1, "blocks": ["edges"], "feature_copies": 1, "final_fit": False}
    }
    text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
    (project / "params.yaml").write_text(text, encoding="utf-8")
    dag = (project / "dvc.yaml").read_text(encoding="utf-8")
    dag = dag.replace("python -m stages.", "python clock.py stages.")
    (project / "dvc.yaml").write_text(dag, encoding="utf-8")
    (project / "clock.py").write_text(CLOCK, encoding="utf-8")
    return project


def repro(project: Path, target: str) -> tuple[float, float, float, float]:
    """Seconds, seconds of CPU; the most MB of the stage's processes, and of DVC's own."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "DVC_SITE_CACHE_DIR": str(project / ".dvc/site")}
    began, before, most, dvc_most = time.perf_counter(), cpu_of_children(), 0, 0
    command = [sys.executable, "-m", "dvc", "repro", "--single-item", target]
    with (project.parent / "log").open("a+", encoding="utf-8") as log:
        dvc = psutil.Popen(command, cwd=project, env=environment, stdout=log, stderr=log)
        while dvc.poll() is None:
            most = max(most, sum(map(held, dvc.children(recursive=True))))
            dvc_most = max(dvc_most, held(dvc))
            time.sleep(0.2)
        if dvc.returncode:
            log.seek(0)
            sys.exit(f"{target} failed:\n{log.read()[-3000:]}")
    used = cpu_of_children() - before
    return time.perf_counter() - began, used, most / 1e6, dvc_most / 1e6


def cpu_of_children() -> float:
    times = psutil.Process().cpu_times()
    return times.children_user + times.children_system


def held(process: psutil.Process) -> int:
    """Bytes; what several processes share counts once."""
    with suppress(psutil.Error):  # it has ended meanwhile
        return process.memory_full_info().pss
    return 0


def usage(folder: Path) -> tuple[float, int]:
    """MB and files; several links to one file count once."""
    found = [
        int(subprocess.check_output(["du", "-s", *unit, folder]).split()[0])
        for unit in (["--block-size=1"], ["--inodes"])
    ]
    return found[0] / 1e6, found[1]


def show(costs: list[Cost]) -> None:
    """A row for each stage and size; growth and a photo's cost are against the size before."""
    print(
        "| stage | photos | s | s of CPU | growth | of CPU | ms of CPU a photo | MB of memory "
        "| MB of disk | files | DVC, s | its CPU | its memory, MB |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for stage in STAGES:
        before = None
        for cost in sorted((c for c in costs if c.stage == stage), key=lambda c: c.photos):
            growth = grown(before, cost) if before else " | | "
            print(
                f"| `{stage}` | {cost.photos:,} | {cost.seconds:.0f} | {cost.cpu:.0f} | {growth} | "
                f"{cost.megabytes:,.0f} | {cost.disk:,.0f} | {cost.files:,} | "
                f"{cost.dvc_seconds:.0f} ({cost.dvc_seconds / cost.whole_seconds:.0%}) | "
                f"{cost.dvc_cpu:.0f} ({cost.dvc_cpu / cost.whole_cpu:.0%}) | "
                f"{cost.dvc_megabytes:,.0f} |"
            )
            before = cost


def grown(small: Cost, large: Cost) -> str:
    more = math.log(large.photos / small.photos)
    wall, cpu = math.log(large.seconds / small.seconds), math.log(large.cpu / small.cpu)
    each = 1000 * (large.cpu - small.cpu) / (large.photos - small.photos)
    return f"{wall / more:.2f} | {cpu / more:.2f} | {each:.1f}"


if __name__ == "__main__":
    main()
