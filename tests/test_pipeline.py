"""End to end, with the real DVC, MLflow and AutoKeras."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections import defaultdict

import pandas as pd
import pytest

from tests.conftest import CLASSES, TASK
from tests.params_yaml import shipped

STAGES = [
    "weights",
    "collect",
    "extract",
    "matte",
    "split",
    "suspects",
    "augment",
    "baseline",
    "search",
    "evaluate",
    "promote",
    "report",
]
QUERY = """
import json, sys
from stages.tracking import store
client = store.connect()
task = sys.argv[1]
runs = client.search_runs([store.experiment_id(client, task)])
aliases = client.get_registered_model("face-" + task).aliases
promoted = client.get_model_version("face-" + task, next(iter(aliases.values())))
print(json.dumps({
    "trials": sorted((r.data.tags["trial"], r.info.status) for r in runs
                     if r.data.tags["kind"] == "trial"),
    "all": [(r.info.run_id, r.info.status) for r in runs],
    "searches": [r.info.status for r in runs if r.data.tags["kind"] == "search"],
    "roles": sorted(aliases),
    "promoted": promoted.tags["sha256"],
    "baselines": sorted(r.data.tags["baseline"] for r in runs
                        if r.data.tags["kind"] == "baseline"),
}))
"""


def mlflow_of(project):
    done = project.run("python", "-c", QUERY, TASK)
    return json.loads(done.stdout.splitlines()[-1])


def test_what_is_exported_is_built_only_when_it_is_asked_for(built, tmp_path):
    project, target = built.copy_to(tmp_path / "project"), f"export/dvc.yaml:export@{TASK}"
    assert not (project.path / "data/export").exists()
    assert project.repro(target) == [target]
    card = json.loads((project.path / f"data/export/{TASK}/card.json").read_text())
    assert {each["runtime"] for each in card["variants"] if each["shipped"]} == {"litert", "onnx"}
    assert project.repro(target) == [] == project.run("git", "status", "-s", "data").stdout.split()
    assert [each for each in project.repro() if "export" in each] == []


def test_one_command_builds_everything(built):
    once = {"code", "params", "register", "index"}
    assert set(built.ran) == {f"{stage}@{TASK}" for stage in STAGES} | once
    page = (built.path / "reports/index.html").read_text("utf-8")
    assert all(title in page for title in CLASSES.values())
    assert "&lt;b&gt;are&lt;/b&gt;" in page and "<b>are</b>" not in page
    splits = pd.read_csv(built.path / f"data/splits/{TASK}/splits.csv")
    assert set(splits["part"]) == {"train", "val", "test", "wild"}
    assert splits.groupby("group")["part"].nunique().max() == 1
    metrics = json.loads((built.path / f"reports/{TASK}/metrics.json").read_text())
    assert 0 <= metrics["test"]["balanced_accuracy"] <= 1
    mlflow = mlflow_of(built)
    assert mlflow["trials"] == [["1", "FINISHED"]]
    assert mlflow["searches"] == ["FINISHED"]
    assert mlflow["baselines"] == ["hog", "majority", "sorting_hat_cnn"]
    promotion = json.loads((built.path / f"data/promote/{TASK}/promotion.json").read_text())
    assert mlflow["roles"] == [promotion["decision"]]


def test_nothing_asks_another_machine_for_anything(built):
    """`weights.download` is false, and the photos are drawn."""
    assert built.lookups() == []
    built.run(
        "python",
        "-c",
        "import socket; socket.create_connection(('192.0.2.1', 9), 0.1)",
        check=False,
    )
    assert "socket.connect 192.0.2.1 by -c" in built.lookups()  # the guard does see it


def test_a_second_repro_recomputes_nothing(built):
    assert built.repro() == ["register"]


def test_a_picture_takes_room_once(built):
    """Scratch, output and DVC's cache are links to one file, which nobody may write to."""
    places = defaultdict(set)
    for top in (".cache", "data", ".dvc/cache"):
        for path in (built.path / top).rglob("*"):
            places[path.stat().st_ino].add(top)
    for stage in ("faces", "mattes"):
        for picture in (built.path / f"data/{stage}/{TASK}/images").iterdir():
            status = picture.stat()
            assert places[status.st_ino] == {".cache", "data", ".dvc/cache"}
            assert status.st_mode & 0o222 == 0


def test_metrics_and_plots(built):
    shown = built.run("dvc", "metrics", "show").stdout
    assert "test.balanced_accuracy" in shown
    assert "file://" in built.run("dvc", "plots", "show").stdout


def test_a_clone_that_pulls_recomputes_nothing_and_fills_its_mlflow(built, tmp_path):
    first = built.copy_to(tmp_path / "first")
    first.run("dvc", "remote", "add", "-d", "team", str(tmp_path / "remote"))
    first.commit()
    first.run("dvc", "push")
    first.run("git", "clone", "-q", str(first.path), str(tmp_path / "second"))
    second = type(first)(tmp_path / "second")
    second.run("dvc", "pull")
    assert second.repro() == ["register"]
    names = ("trials", "searches", "roles", "promoted", "baselines")
    assert [mlflow_of(second)[n] for n in names] == [mlflow_of(first)[n] for n in names]
    assert (second.path / "reports/index.html").is_file()


def test_a_longer_search_adds_trials_and_keeps_the_old_ones(built, tmp_path):
    project = built.copy_to(tmp_path / "longer")
    before = json.loads((project.path / f"data/search/{TASK}/trials.json").read_text())
    done = project.run("dvc", "exp", "run", "-S", f"tasks.{TASK}.search.max_trials=2")
    ran = re.findall(r"Running stage '(.+)'", done.stdout)
    assert ran[:2] == ["params", f"search@{TASK}"]
    after = json.loads((project.path / f"data/search/{TASK}/trials.json").read_text())
    assert after["trials"][0] == before["trials"][0]
    assert len(after["trials"]) == 2
    assert mlflow_of(project)["trials"] == [["1", "FINISHED"], ["2", "FINISHED"]]


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGKILL])
def test_a_search_stopped_in_dvc_repro(built, tmp_path, sig):
    """Ctrl-C keeps the best so far and lets DVC go on; after a kill, `dvc repro` runs the trial
    again with the same hyperparameters."""
    project = built.copy_to(tmp_path / "stopped")
    longer = {"max_trials": 2, "max_epochs": 10, "patience": 10}  # 50 of a head, each trial
    project.edit_params(lambda params: params["tasks"][TASK]["search"].update(longer))
    process = subprocess.Popen(
        ["dvc", "repro", f"search@{TASK}"],
        cwd=project.path,
        env=project.environment(),
        stderr=subprocess.STDOUT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    running = lambda: [  # noqa: E731
        attempt
        for file in (project.path / f".search/{TASK}").glob("*/attempts/*.json")
        if (attempt := json.loads(file.read_text()))["status"] == "RUNNING" and attempt["epochs"]
    ]
    deadline = time.monotonic() + 120
    while not running() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, sig)
    said = process.communicate(timeout=120)[0]
    trials = project.path / f"data/search/{TASK}/trials.json"
    if sig == signal.SIGINT:
        assert process.returncode == 0, said
        [trial] = json.loads(trials.read_text())["trials"]
        assert trial["status"] == "STOPPED"
        assert json.loads(project.run("dvc", "status", "--json", f"search@{TASK}").stdout) == {}
        return
    assert process.returncode == -sig
    project.repro(f"search@{TASK}")
    content = json.loads(trials.read_text())
    [cut] = content["earlier"]
    assert cut["status"] == "INTERRUPTED"
    assert cut["hyperparameters"] == content["trials"][cut["trial"]]["hyperparameters"]
    assert [trial["status"] for trial in content["trials"]] == ["COMPLETED"] * 2
    statuses = dict(mlflow_of(project)["all"])
    assert "RUNNING" not in statuses.values()


def test_an_edit_reruns_only_what_reads_it(built):
    def stale(edit):
        built.edit_params(edit)
        try:
            built.repro("params")
            status = json.loads(built.run("dvc", "status", "--json").stdout)
        finally:
            built.run("git", "checkout", "-q", "params.yaml", "dvc.lock")
            built.run("dvc", "checkout", "data/params")
        return {name for name, why in status.items() if "data/params" in json.dumps(why)}

    task = lambda params: params["tasks"][TASK]  # noqa: E731
    assert stale(lambda p: p["defaults"]["promote"].update(margin=0.5)) == {f"promote@{TASK}"}
    assert stale(lambda p: p["defaults"]["augment"].update(copies=6)) == set()  # it has its own
    assert stale(lambda p: task(p)["augment"].update(copies=6)) == {f"augment@{TASK}"}
    assert stale(lambda p: task(p)["baseline"].update(seed=2)) == {f"baseline@{TASK}"}


def test_an_edit_of_code_reruns_only_what_it_may_change(built, tmp_path):
    project = built.copy_to(tmp_path / "project")
    said, groups = project.path / "stages/common/errors.py", project.path / "stages/split/groups.py"
    for file in (said, groups):
        file.write_text(file.read_text() + "\n# said better\n")
    assert project.repro(f"search@{TASK}") == ["code", f"split@{TASK}"]  # which deals as before


def test_an_edit_of_a_default_reruns_the_tasks_that_have_not_their_own(fresh, tmp_path):
    project = fresh.copy_to(tmp_path / "tasks")
    params = shipped()
    params["weights"]["download"] = False
    params["tasks"]["tone"]["matte"] = {"session": "grabcut"}
    project.write_params(params)
    stages = {f"weights@{task}" for task in params["tasks"]}
    assert set(project.repro(*stages)) == {"code", "params"} | stages
    assert project.repro(*stages) == []
    project.edit_params(lambda p: p["defaults"]["matte"].update(session="none"))
    assert set(project.repro(*stages)) == {"params"} | stages - {"weights@tone"}


def test_an_experiment_with_another_default(built, tmp_path):
    project = built.copy_to(tmp_path / "patience")
    setting = "defaults.search.patience=5"
    done = project.run("dvc", "exp", "run", "-S", setting, f"search@{TASK}")
    assert re.findall(r"Running stage '(.+)'", done.stdout) == ["params", f"search@{TASK}"]
    found = json.loads((project.path / f"data/search/{TASK}/trials.json").read_text())
    assert found["params"]["patience"] == 5


@pytest.mark.parametrize("stage", ["collect", "extract", "matte", "augment"])
@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGKILL])
def test_a_stage_that_is_stopped_leaves_nothing_half_written(built, tmp_path, stage, sig):
    project = built.copy_to(tmp_path / "stopped")
    shutil.rmtree(project.path / ".cache", ignore_errors=True)  # else there is nothing to do
    outputs = {"collect": "raw", "extract": "faces", "matte": "mattes", "augment": "shards"}
    folder = project.path / "data" / outputs[stage]
    parts = lambda: list(folder.rglob(".*.part"))  # noqa: E731
    before = snapshot(folder)
    for _ in range(5):  # a stage that was quicker than this test is run again
        process = subprocess.Popen(
            ["python", "-m", f"stages.{stage}", TASK],
            cwd=project.path,
            env=project.environment(),
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests in the background has Ctrl-C ignored; children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 60
        while not parts() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(sig)
        message = process.communicate(timeout=60)[1]
        if process.returncode:
            break
    assert process.returncode == -sig
    if sig == signal.SIGINT:
        assert "Interrupted" in message and "Traceback" not in message
        assert stage == "augment" or not parts()  # augment goes on with what is there
    assert snapshot(folder) == before
    project.run("python", "-m", f"stages.{stage}", TASK)
    assert not parts()
    assert snapshot(folder) == before


def snapshot(folder):
    files = (f for f in folder.rglob("*") if f.is_file())
    return {
        str(f.relative_to(folder)): f.read_bytes()
        for f in files
        if not any(p.startswith(".") for p in f.relative_to(folder).parts)
    }


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda task: task["search"].update(max_trails=3), f"tasks.{TASK}.search.max_trails"),
        (lambda task: task["search"].update(max_trials=0), f"tasks.{TASK}.search.max_trials"),
        (
            lambda task: task["collect"].update(sources=[{"source": "folder"}], path="photos"),
            "photos",
        ),
    ],
)
def test_wrong_params_are_refused_by_name(fresh, tmp_path, edit, message):
    project = fresh.copy_to(tmp_path / "wrong")
    project.edit_params(lambda params: edit(params["tasks"][TASK]))
    done = project.run("dvc", "repro", f"collect@{TASK}", check=False)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert not (project.path / "data/raw").exists()
