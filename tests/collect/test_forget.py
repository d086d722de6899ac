import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from stages.collect.forget import Seen, forget_person, forget_picture, too_few
from stages.collect.forgotten import Forgotten, person_hash
from stages.collect.synthetic import draw, plan
from stages.common.errors import UserError
from stages.params.merge import load
from stages.records.forgotten import FORGOTTEN, Tombstone
from tests.collect.rows import manifest_row
from tests.collect.test_copies import NINE
from tests.conftest import CLASSES, TASK
from tests.params_yaml import complete, write_params
from tests.text_table import read_table

ROOT = Path(__file__).parents[2]


def seen(task, letter, **known):
    """A photo that `task` has collected; its sha256 is 64 times the letter."""
    return Seen(task, manifest_row(64 * letter, **known))


SEEN = [
    seen("tone", "a", person="anna"),
    seen("tone", "b", person="Anna", phash="f" * 16),
    seen("age", "c", person="anna", phash="00ff" * 4),
    seen("age", "d", phash="0f0f" * 4),
]


def test_a_person_and_all_their_pictures():
    new, hit = forget_person(" ANNA", SEEN, task="")
    assert {each.kind for each in new} == {"person", "sha256"}
    assert {each.task for each in new} == {""}
    assert {each.hash for each in new} == {person_hash("anna"), "a" * 64, "b" * 64, "c" * 64}
    assert len(hit) == 3 and "anna" not in str(new).lower()
    assert forget_person("anna", SEEN, task="")[0] == new


def test_in_one_task_only(tmp_path):
    new, hit = forget_person("anna", SEEN, task="age")
    assert {each.task for each in hit} == {"age"}
    assert {each.hash for each in new} == {person_hash("anna"), "c" * 64}
    FORGOTTEN.write(tmp_path, new)
    assert Forgotten(tmp_path, "age").person("anna")
    assert not Forgotten(tmp_path, "tone").person("anna")


@pytest.mark.parametrize("sha256", ["d" * 64, "d" * 16, "D" * 64])
def test_a_picture_by_its_hash_or_id(sha256):
    new, hit = forget_picture(sha256, SEEN, task="")
    assert new == [Tombstone("", "sha256", "d" * 64, "0f0f" * 4)] and len(hit) == 1


def test_a_picture_that_nobody_has_seen_yet():
    new, hit = forget_picture("9" * 64, SEEN, task="")
    assert new == [Tombstone("", "sha256", "9" * 64, "")] and not hit
    with pytest.raises(UserError, match="neither 64 hexadecimal digits nor the id"):
        forget_picture("9" * 16, SEEN, task="")


def test_tombstones_of_an_earlier_version_still_count(tombstones):
    known, image = tombstones(("", "sha256", "a" * 64, "00000000000000ff")), np.zeros((9, 9, 3))
    assert known.picture("a" * 64, "123456789abcdef0", image)
    assert known.picture("b" * 64, "000000000000000f", image)
    assert not known.picture("c" * 64, "0000000000000007", image)


def test_copies_that_split_has_found_and_faces_without_a_name_are_theirs():
    photos = [
        seen("tone", "a", person="anna")._replace(shot="a", group="a"),
        seen("tone", "b", person="bea")._replace(shot="a", group="a"),  # a copy under another name
        seen("tone", "c")._replace(group="a"),  # their face
        seen("tone", "d")._replace(shot="d", group="a"),
        seen("tone", "e")._replace(shot="d", group="e"),  # a copy of that
        seen("tone", "f", person="bea")._replace(group="a"),
        seen("age", "9")._replace(shot="a", group="a"),
    ]
    _, hit = forget_person("anna", photos, task="")
    assert [each.photo.id[0] for each in hit] == list("abcde")
    _, hit = forget_picture("a" * 64, photos, task="")
    assert [each.photo.id[0] for each in hit] == list("ab")


@pytest.mark.parametrize(("together", "few"), [("person", True), ("shot", False)])
def test_too_few_photos_are_counted_as_split_does(tmp_path, together, few):
    content = complete()
    content["tasks"]["tone"]["split"]["keep_together"] = together
    write_params(content, tmp_path)
    params = load(tmp_path / "params.yaml")
    cool = [seen("tone", x, label="cool", person=p) for x, p in ("aa", "bb", "cc")]
    warm = [seen("tone", x, label="warm", person=p) for x, p in ("1a", "2b", "3b")]
    wild = [seen("tone", "4", label="warm", person="d", part="wild")]
    assert too_few([*cool, *warm[:2], *wild], "tone", params).count("'warm'") == 1
    assert bool(too_few([*cool, *warm, *wild], "tone", params)) == few
    assert "'cool'" not in too_few([*cool, *warm[:2]], "tone", params)


@pytest.mark.parametrize("text", [None, "", "task,kind\n", "task,kind,hash,phash\n,name,anna,\n"])
def test_a_missing_or_damaged_list_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "forgotten.csv").write_text(text)
    with pytest.raises(UserError, match="forgotten.csv"):
        Forgotten(tmp_path, "tone")


def test_the_shipped_list_is_empty():
    assert read_table(ROOT / "forgotten.csv").values.tolist() == []


@pytest.fixture
def project(tmp_path):
    content = complete()
    source = {"source": "folder", "person": r"(.+)__\d+"}
    content["tasks"]["tone"]["collect"] = {"path": "photos", "sources": [source]}
    write_params(content, tmp_path)
    FORGOTTEN.write(tmp_path, [])
    for person in range(8):
        label = "cool" if person % 2 else "warm"
        for shot in range(2):
            noise = np.random.default_rng(10 * person + shot).integers(
                0, 256, (12, 12, 3), np.uint8
            )
            picture = cv2.resize(noise, (200, 160), interpolation=cv2.INTER_CUBIC)
            (tmp_path / "photos" / label).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(tmp_path / f"photos/{label}/person{person}__{shot}.jpg"), picture)

    def run(*arguments, module="stages.collect"):
        done = subprocess.run(
            [sys.executable, *(["-m", module] if module else []), *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return tmp_path, run


@pytest.mark.slow
def test_a_forgotten_person_is_gone_and_stays_away(project):
    path, run = project
    out = path / "data/raw/tone"
    assert run("tone").returncode == 0 and len(read_table(out / "manifest.csv")) == 16
    photo = path / "photos/warm/person2__0.jpg"
    done = run("--person", "person2", module="stages.collect.forget")
    assert done.returncode == 0, done.stderr
    assert "2 known pictures in tone" in done.stdout
    assert "photos/warm/person2__0.jpg" in done.stdout
    for step in (
        "dvc gc --workspace",
        "--cloud --remote",
        "mlflow gc",
        ".downloads",
        "data/promote",
    ):
        assert step in done.stdout
    tombstones = (path / "forgotten.csv").read_text()
    assert "person2" not in tombstones
    run("--person", "person2", module="stages.collect.forget")
    assert (path / "forgotten.csv").read_text() == tombstones
    assert all(len(row.phash) == 64 for row in FORGOTTEN.read(path) if row.kind == "sha256")
    # The same photo under another name, and re-encoded under a third, in the exam, too.
    (path / "photos/warm/new__0.jpg").write_bytes(photo.read_bytes())
    (path / "photos/wild/warm").mkdir(parents=True)
    cv2.imwrite(
        str(path / "photos/wild/warm/other.jpg"),
        cv2.imread(str(photo)),
        [cv2.IMWRITE_JPEG_QUALITY, 60],
    )
    assert "4 pictures are forgotten" in run("tone").stderr
    manifest, rejected = read_table(out / "manifest.csv"), read_table(out / "rejected.csv")
    assert len(manifest) == 14 and set(rejected.reason) == {"forgotten on request"}
    assert len(rejected) == 4  # in = kept + rejected
    ids = {p.stem for p in (out / "images").iterdir()}
    assert (
        ids == set(manifest.id) and hashlib.sha256(photo.read_bytes()).hexdigest()[:16] not in ids
    )
    everything = b"".join(p.read_bytes() for p in out.rglob("*") if p.is_file())
    assert b"person2" not in everything and b"new__0" not in everything


@pytest.mark.slow
def test_every_way_to_copy_a_forgotten_photo_is_refused(project):
    path, run = project
    out = path / "data/raw/tone"
    assert run("tone").returncode == 0
    image = cv2.imread(str(path / "photos/warm/person2__0.jpg"))
    assert image is not None
    assert run("--person", "person2", module="stages.collect.forget").returncode == 0
    for number, change in enumerate(NINE.values()):
        cv2.imwrite(str(path / f"photos/cool/new{number}__0.jpg"), change(image))
    assert run("tone").returncode == 0
    rejected = read_table(out / "rejected.csv")
    assert rejected.reason.tolist() == ["forgotten on request"] * (2 + len(NINE))
    assert len(read_table(out / "manifest.csv")) == 14


@pytest.mark.slow
def test_an_unknown_name_warns_with_the_names_that_are_like_it(project):
    path, run = project
    assert run("tone").returncode == 0
    done = run("--person", "persson2", module="stages.collect.forget")
    assert done.returncode == 0
    assert "No photo in data/raw has the person 'persson2'" in done.stderr
    assert "'person2'" in done.stderr
    assert Forgotten(path, "tone").person("persson2")
    done = run("--person", "person2", module="stages.collect.forget")
    assert "No photo" not in done.stderr
    assert "No photo" in run("--sha256", "0" * 64, module="stages.collect.forget").stderr


@pytest.mark.slow
def test_too_few_photos_are_said_and_the_later_data_go(project):
    path, run = project
    assert run("tone").returncode == 0
    later = [path / "data" / stage / "tone" for stage in ("faces", "shards", "search", "report")]
    kept = [path / "data/promote/tone", path / "data/faces/age", path / "data/weights/tone"]
    for folder in (*later, *kept):
        folder.mkdir(parents=True)
    (path / "reports").mkdir()
    (path / "reports/index.html").write_text("their pictures")
    done = run("--person", "person0", module="stages.collect.forget")
    assert "persons or shots" not in done.stderr and all(folder.is_dir() for folder in later)
    assert run("tone").returncode == 0
    done = run("--person", "person2", module="stages.collect.forget")
    said = "tone: class 'warm' keeps photos of 2 persons or shots, and needs 3"
    assert done.returncode == 0 and said in done.stderr and "data/faces/tone" in done.stderr
    assert not any(folder.exists() for folder in later) and all(folder.is_dir() for folder in kept)
    assert not (path / "reports/index.html").exists()


@pytest.mark.slow
def test_the_advice_names_what_dvc_keeps_outside_of_the_project(project):
    path, run = project
    subprocess.run(["git", "init", "-q"], cwd=path, check=True)
    subprocess.run(["dvc", "init", "-q"], cwd=path, check=True)
    done = run("--person", "anna", module="stages.collect.forget")
    [place] = re.findall(r"rm -rf (/\S+/repo/[0-9a-f]{32})$", done.stdout, re.M)
    asked = "from dvc.repo import Repo; print(Repo().site_cache_dir)"
    assert run("-c", asked, module=None).stdout.strip() == place


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required"),
        (["--sha256", "1", "--person", "a"], "not allowed with"),
        (["--sha256", "1"], "neither 64"),
        (["--person", " "], "needs a name"),
        (["--person", "a", "nowhere"], "no task 'nowhere'"),
    ],
)
def test_wrong_arguments(project, arguments, said):
    path, run = project
    before = (path / "forgotten.csv").read_text()
    done = run(*arguments, module="stages.collect.forget")
    assert done.returncode != 0 and said in done.stderr
    assert (path / "forgotten.csv").read_text() == before


BEFORE_SEARCH = "collect", "extract", "matte", "split", "suspects", "augment"


@pytest.fixture
def pets(fresh, tmp_path):
    """A project with photos in a folder, built up to the shards: five persons a class and two in
    wild, two photos of each."""
    pets = fresh.copy_to(tmp_path / "pets")
    for part, people in (("", 5), ("wild/", 2)):
        specs = plan(
            CLASSES, signal="geometry", people=people, photos=2, wild=0, size=160, seed=people
        )
        for k, spec in enumerate(specs):
            label = list(CLASSES)[k // (2 * people)]
            path = pets.path / f"photos/{part}{label}/{part[:1]}{k // 2}__{k % 2}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), draw(spec).image[..., ::-1])
    source = {"source": "folder", "person": r"(.+)__\d+"}
    pets.edit_params(
        lambda params: params["tasks"][TASK].update(collect={"path": "photos", "sources": [source]})
    )
    pets.run("dvc", "repro", f"suspects@{TASK}", f"augment@{TASK}")
    return pets


def everything(project, *folders):
    """All that is below data/<folder>/<task>, as one piece of text: names of files and contents."""
    files = [p for f in folders for p in (project.path / "data" / f / TASK).rglob("*")]
    texts = [p.read_text("utf-8") for p in files if p.suffix in (".csv", ".json")]
    return "\n".join([*map(str, files), *texts])


@pytest.mark.slow
def test_the_next_repro_builds_everything_without_them(pets):
    folders = "raw", "faces", "mattes", "splits", "suspects", "shards"
    manifest = read_table(pets.path / f"data/raw/{TASK}/manifest.csv")
    theirs = manifest[manifest.person == "0"]
    assert len(theirs) == 2 and all(id in everything(pets, *folders) for id in theirs.id)
    pets.run("python", "-m", "stages.collect.forget", "--person", "0")
    photo, copy = (pets.path / f"photos/fox/{name}" for name in ("0__0.jpg", "nobody__1.jpg"))
    cv2.imwrite(str(copy), cv2.imread(str(photo)), [cv2.IMWRITE_JPEG_QUALITY, 60])
    done = pets.run("dvc", "repro", f"suspects@{TASK}", f"augment@{TASK}")
    for stage in BEFORE_SEARCH:
        assert f"Running stage '{stage}@{TASK}'" in done.stdout
    found = everything(pets, *folders)
    assert not any(id in found for id in theirs.id)
    rejected = read_table(pets.path / f"data/raw/{TASK}/rejected.csv")
    assert rejected.reason.tolist() == ["forgotten on request"] * 3  # the copy, too
    others = set(manifest.id) - set(theirs.id)
    assert set(read_table(pets.path / f"data/raw/{TASK}/manifest.csv").id) == others
    for name in ("faces", "mattes", "read photos", "read faces", "features"):  # no work anew
        known = re.findall(rf"^{name}: (\d+) of (\d+) as before$", done.stderr, re.M)
        assert known and known[0][0] == known[0][1]


@pytest.mark.slow
def test_they_are_in_no_prediction_and_no_report(built, tmp_path):
    """All of the pipeline. The champion, which has seen them, is left to whoever reads what
    `forget` prints."""
    folders = "raw", "faces", "mattes", "splits", "suspects", "shards", "evaluate", "report"
    project = built.copy_to(tmp_path / "project")
    splits = read_table(project.path / f"data/splits/{TASK}/splits.csv")
    person = splits.person[(splits.part == "test") & (splits.person != "")].iloc[0]
    theirs = splits.id[splits.person == person]
    assert all(id in everything(project, *folders) for id in theirs)
    project.run("python", "-m", "stages.collect.forget", "--person", person)
    assert f"search@{TASK}" in project.repro()
    found = everything(project, *folders)
    assert not any(id in found for id in theirs)
    page = (project.path / "reports/index.html").read_text("utf-8")
    assert not any(id in page for id in theirs)
