"""The `collect` stage of each recipe, as `dvc repro` runs it; servers on loopback stand for the Hub
and for Wikimedia Commons."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml

from stages.records.folders import Folders
from stages.records.manifest import MANIFEST, REJECTED
from tests.collect.commons_api import CommonsApi
from tests.collect.hub_api import environment, serve_dataset
from tests.params_yaml import REPO, write_params


def recipe(name):
    return yaml.safe_load((REPO / f"recipes/{name}.yaml").read_text("utf-8"))


@pytest.fixture
def collected(tmp_path):
    """Runs the stage in a project with these parameters, and returns the rows of its tables."""

    def collected(params, task, **variables):
        write_params(params, tmp_path)
        shutil.copy(REPO / "forgotten.csv", tmp_path)
        done = subprocess.run(
            [sys.executable, "-m", "stages.collect", task],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(REPO)} | variables,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        raw = Folders(task, tmp_path).raw
        return MANIFEST.read(raw), REJECTED.read(raw)

    return collected


@pytest.mark.slow
def test_web_age_has_numbers_of_the_whole_range(collected, server, jpeg, tmp_path):
    import datasets

    ages = sorted(list(range(1, 117)) * 2, key=str)  # the order of UTKFace's file names
    rows = {
        "image": [{"bytes": jpeg(n), "path": f"{n}.jpg"} for n in range(len(ages))],
        "age": ages,
        "gender": ["Male"] * len(ages),
        "ethnicity": ["Asian"] * len(ages),
    }
    features = {
        "image": datasets.Image(decode=False),
        "age": datasets.Value("int64"),
        "gender": datasets.Value("string"),
        "ethnicity": datasets.Value("string"),
    }
    data = datasets.Dataset.from_dict(rows, features=datasets.Features(features))
    serve_dataset(server, "nu-delta/utkface", data, {}, tmp_path)
    params = recipe("web")
    age = params["tasks"]["age"]
    age["collect"]["sources"][0]["limit"] = 8
    photos, rejected = collected(params, "age", **environment(server, tmp_path / "hf"))
    assert not rejected
    for name, (first, last) in age["bins"].items():
        values = [photo.value for photo in photos if photo.label == name]
        assert len(values) == 8 and all(first <= value <= last for value in values)
        assert max(values) - min(values) > (last - first) / 3  # not 19, 19, 20, 20, ...
    assert {photo.licence for photo in photos} == {age["collect"]["sources"][0]["licence"]}
    assert {photo.page for photo in photos} == {"https://huggingface.co/datasets/nu-delta/utkface"}
    assert {(photo.person, photo.part) for photo in photos} == {("", "pool")}


@pytest.mark.slow
@pytest.mark.parametrize("task", ["idol", "harry"])
def test_web_from_commons_names_person_licence_and_author(task, collected, server, jpeg, tmp_path):
    params = recipe("web")
    collect = params["tasks"][task]["collect"]
    [source] = collect["sources"]
    lists = yaml.safe_load((REPO / collect["path"] / source["file"]).read_text("utf-8"))
    shutil.copytree(REPO / collect["path"], tmp_path / collect["path"])
    commons = CommonsApi(server)
    free = ["CC0", "CC BY 2.0", "CC BY-SA 4.0", "Public domain"]
    entries = [(label, entry) for label, each in lists.items() for entry in each]
    for number, (_, entry) in enumerate(entries):
        licences = [free[number % 4], free[(number + 1) % 4], "CC BY-NC 2.0"]
        commons.files[entry["category"]] = [
            commons.file(3 * number + n, licence, jpeg(3 * number + n))
            for n, licence in enumerate(licences)
        ]
    source |= {"api": f"{server.url}/w/api.php", "allow_private": True}
    photos, rejected = collected(params, task)
    found = sorted((photo.label, photo.person) for photo in photos)
    assert found == sorted((label, entry["person"]) for label, entry in entries for _ in range(2))
    assert {photo.licence for photo in photos} == set(free)
    assert {photo.author for photo in photos} == {"A. & B"}
    assert all(photo.page.startswith("https://commons.wikimedia.org/wiki/") for photo in photos)
    assert {row.reason for row in rejected} == {"licence not allowed: CC BY-NC 2.0"}
    assert len(rejected) == len(entries)
    assert source["contact"] in server.headers["User-Agent"]


@pytest.mark.slow
def test_folder_reads_person_and_value_as_its_comments_show(collected, jpeg, tmp_path):
    params = recipe("folder")
    age = params["tasks"]["age"]
    age["collect"]["sources"][0] |= {"person": "^(.+?)__", "columns": r"A(?P<value>\d+)"}
    comments = (REPO / "recipes/folder.yaml").read_text("utf-8").split("weights:")[0]
    for expression in age["collect"]["sources"][0].values():
        assert expression == "folder" or f"'{expression}'" in comments
    for number, (label, (first, _)) in enumerate(age["bins"].items()):
        for n in range(3):
            photo = tmp_path / f"photos/age/{label}/anna{number}__{n}_A{first + n}.jpg"
            photo.parent.mkdir(parents=True, exist_ok=True)
            photo.write_bytes(jpeg(10 * number + n))
    wild = tmp_path / "photos/age/wild/minor/bella__1_A7.jpg"
    wild.parent.mkdir(parents=True)
    wild.write_bytes(jpeg(99))
    photos, rejected = collected(params, "age")
    assert len(photos) == 13 and not rejected
    assert {photo.person for photo in photos} == {"bella", *(f"anna{n}" for n in range(4))}
    [exam] = [photo for photo in photos if photo.part == "wild"]
    assert (exam.label, exam.person, exam.value) == ("minor", "bella", 7)
