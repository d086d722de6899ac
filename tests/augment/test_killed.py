"""The real stage, killed with SIGKILL and started again."""

import hashlib
import random
import re
import shutil
import subprocess
import sys
import time

import cv2
import numpy as np
import pytest

from stages.common.images import write_png
from stages.records.folders import Folders, picture, pictures
from stages.records.splits import SPLITS, Assignment
from tests.conftest import CLASSES, REPO, TASK, tiny_params
from tests.params_yaml import read_params, write_params

pytestmark = pytest.mark.slow

BLOCKS = 42  # 40 of train, and one each of val and test


@pytest.fixture
def project(tmp_path):
    """A folder that the stage runs in: its code, 320 training photos, 200 copies of each."""
    shutil.copytree(REPO / "stages", tmp_path / "stages")
    params = tiny_params()
    params["tasks"][TASK]["augment"] |= {"copies": 200, "size": 16}
    write_params(params, tmp_path)
    rows = [
        (f"{number:016x}", list(CLASSES)[number % 3], part)
        for number, part in enumerate(["train"] * 320 + ["val"] * 3 + ["test"] * 3)
    ]
    at = Folders(TASK, tmp_path)
    SPLITS.write(at.splits, [Assignment(id, label, "", id, id, part) for id, label, part in rows])
    pictures(at.mattes).mkdir(parents=True)
    for number, (id, *_) in enumerate(rows):
        write_png(picture(at.mattes, id), cutout(number))
    return tmp_path


def cutout(seed):
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 4), dtype=np.uint8)
    return cv2.resize(small, (48, 48))


def start(project):
    command = [sys.executable, "-m", "stages.augment", TASK]
    return subprocess.Popen(command, cwd=project, stderr=subprocess.PIPE, text=True)


def kill(project, blocks: int, delay: float) -> int:
    """Kill the stage `delay` s after it has `blocks` blocks on record; how many it had then.

    `blocks` -1: after it began to write.
    """
    process = start(project)
    while recorded(project) < blocks and process.poll() is None:
        time.sleep(0.0005)
    time.sleep(delay)
    process.kill()
    assert process.wait() == -9, process.stderr.read()
    process.stderr.close()
    return recorded(project)


def recorded(project) -> int:
    half = project / "data/shards" / TASK / ".half.part"
    if not (half / "done").exists():
        return -1 if half.exists() else -2
    return (half / "done").read_text().count("\n") - 1


def finish(project) -> int:
    """Let the stage end; of how many blocks it says that they were done."""
    process = start(project)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 0, said
    going_on = re.search(r"going on: (\d+) of (\d+) blocks were done", said)
    assert not going_on or going_on[2] == str(BLOCKS)
    return int(going_on[1]) if going_on else 0


def written(project) -> dict[str, str]:
    """Digests of everything in the task's folder, and the folder gone: the next run is fresh."""
    folder = project / "data/shards" / TASK
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    digests = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }
    shutil.rmtree(folder)
    return digests


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(project):
    assert finish(project) == 0
    undisturbed = written(project)
    assert {name.split("/")[0] for name in undisturbed} == {"train", "val", "test", "wild"}
    for _ in range(2):
        done = 0
        for _ in range(3):
            before, done = done, kill(project, done + random.randint(1, 9), random.random() / 100)
            assert before < done < BLOCKS
        assert finish(project) == done
        assert written(project) == undisturbed


def test_killed_while_it_begins_it_begins_anew(project):
    for delay in (0, 0.002, 0.005, 0.01):
        assert kill(project, -1, delay) <= 0
    finish(project)
    killed = written(project)
    assert finish(project) == 0
    assert killed == written(project)


def another_parameter(project):
    params = read_params(project)
    params["tasks"][TASK]["augment"]["shift"] = 0.3
    write_params(params, project)


def other_code(project):
    path = project / "stages/augment/transform.py"
    code = path.read_text("utf-8")
    path.write_text(code.replace("np.deg2rad(rotation)", "np.deg2rad(-rotation)"), "utf-8")


def another_cutout(project):
    write_png(picture(Folders(TASK, project).mattes, f"{3:016x}"), cutout(999))


@pytest.mark.parametrize(
    ("change", "kept"), [(another_parameter, None), (other_code, None), (another_cutout, -1)]
)
def test_what_changes_meanwhile_is_never_mixed_in(project, change, kept):
    finish(project)
    former = written(project)
    done = kill(project, 5, 0)
    change(project)
    assert finish(project) == (0 if kept is None else done + kept)
    resumed = written(project)
    assert finish(project) == 0
    assert resumed == written(project) != former
