import csv
import hashlib
import logging
import os
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from stages.collect.candidate import (
    NOT_STATED,
    Candidate,
    Checked,
    Context,
    Picture,
    check,
    plain,
)
from stages.collect.collect import collect, set_duplicates_aside
from stages.collect.forgotten import Forgotten
from stages.collect.phash import phash
from stages.common.errors import UserError
from stages.common.images import BadImage, decode
from stages.params.merge import load
from stages.records.forgotten import FORGOTTEN
from stages.records.manifest import MANIFEST, REJECTED
from stages.records.params import Collect
from tests.collect.rows import manifest_row
from tests.params_yaml import complete, write_params
from tests.text_table import read_table

ROOT = Path(__file__).parents[2]


def picture(seed, width=40, height=30):
    """Blobs, different for every seed: (H, W, 3) uint8 RGB."""
    noise = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), np.uint8)
    return cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)


def put(path, seed, form=None):
    """Write `picture(seed)` in the format of `form` or of the name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(form or path.suffix, picture(seed)[..., ::-1])[1].tobytes())
    return path


@pytest.fixture
def photos(tmp_path):
    """Two classes of four photos."""
    for seed in range(4):
        put(tmp_path / f"photos/cool/anna__{seed}.jpg", seed)
        put(tmp_path / f"photos/warm/bella__{seed}.png", 10 + seed)
    return tmp_path / "photos"


@pytest.fixture
def forgotten(tmp_path):
    """Nobody is forgotten."""
    FORGOTTEN.write(tmp_path, [])
    return Forgotten(tmp_path, "tone")


@pytest.fixture
def run(tmp_path, monkeypatch, forgotten):
    """Collect `path` in this process: (manifest, rejected) as they stand on disk."""
    monkeypatch.setattr("stages.collect.collect.map_cores", lambda f, items, **_: map(f, items))

    def run(
        path,
        person=None,
        classes=("cool", "warm"),
        sources=None,
        forgotten=forgotten,
        keep_metadata=False,
    ):
        out = tmp_path / f"out{len(list(tmp_path.glob('out*')))}"
        out.mkdir()
        sources = sources or [{"source": "folder", "person": person}]
        params = Collect(path=path, sources=sources, keep_metadata=keep_metadata)
        key, downloads = "tasks.tone.collect", tmp_path / "downloads"
        collect(params, Context(path, list(classes), key, downloads, forgotten), out)
        manifest, rejected = read_table(out / "manifest.csv"), read_table(out / "rejected.csv")
        assert {p.stem for p in (out / "images").iterdir()} == set(manifest.id)
        assert (manifest.licence != "").all()
        return manifest, rejected

    return run


def reasons(rejected):
    return dict(zip(rejected.name, rejected.reason, strict=True))


def test_manifest_says_what_the_files_are(photos, run, tmp_path):
    manifest, rejected = run(photos)
    assert len(manifest) == 8 and len(rejected) == 0
    row = manifest.set_index("name").loc["cool/anna__0.jpg"]
    assert (row.label, row.part, row.source) == ("cool", "pool", "folder")
    assert (row.width, row.height) == ("40", "30")
    original = (photos / "cool/anna__0.jpg").read_bytes()
    assert row.sha256 == hashlib.sha256(original).hexdigest() and row.sha256.startswith(row.id)
    assert row.phash == phash(decode(original))
    assert (tmp_path / f"out0/images/{row.id}.jpg").read_bytes() == original
    assert list(manifest.label) == sorted(manifest.label)


def test_metadata_stay_outside_unless_they_are_asked_for(photos, run, tmp_path):
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    exif[0x010E] = "Anna at home"
    file = photos / "cool/anna__0.jpg"
    Image.fromarray(picture(0)).save(file, exif=exif)
    original = file.read_bytes()
    for keep in (False, True):
        manifest, _ = run(photos, keep_metadata=keep)
        row = manifest.set_index("name").loc["cool/anna__0.jpg"]
        assert row.sha256 == hashlib.sha256(original).hexdigest()  # the id is what it was
        kept = (tmp_path / f"out{int(keep)}/images/{row.id}.jpg").read_bytes()
        assert (kept == original) == keep == (b"Anna at home" in kept)
        assert manifest.stripped.tolist().count("1") == (0 if keep else 1)
        assert (decode(kept) == decode(original)).all()


def test_same_photos_same_manifest_whatever_the_order_on_disk(photos, run, tmp_path):
    first, _ = run(photos)
    for path in sorted(photos.rglob("*.*"), reverse=True):
        put(tmp_path / "again" / path.relative_to(photos), 0).write_bytes(path.read_bytes())
    pd.testing.assert_frame_equal(first, run(tmp_path / "again")[0])


def test_what_is_no_photo_is_set_aside_with_its_reason(photos, run):
    good = (photos / "cool/anna__0.jpg").read_bytes()
    bad = {
        "cool/empty.jpg": (b"", "empty file"),
        "cool/cut.jpg": (good[:200], "cut short"),
        "cool/page.png": (b"<html>", "not a jpg, png or webp picture"),
        "cool/.DS_Store": (b"x", "hidden file"),
        "warm/Thumbs.db": (b"x", "hidden file"),
        ".cache/warm/a.jpg": (good, "hidden file"),
        "readme.txt": (b"x", "not in a class's folder"),
        "wild/b.jpg": (good, "not in a class's folder"),
    }
    for name, (data, _) in bad.items():
        (photos / name).parent.mkdir(parents=True, exist_ok=True)
        (photos / name).write_bytes(data)
    manifest, rejected = run(photos)
    assert len(manifest) == 8
    found = reasons(rejected)
    assert found.keys() == bad.keys()
    for name, (_, reason) in bad.items():
        assert reason in found[name]


def test_the_format_is_that_of_the_content(photos, run, tmp_path):
    put(photos / "cool/really-a-png.jpg", 77, form=".png")
    manifest, _ = run(photos)
    row = manifest[manifest.name == "cool/really-a-png.jpg"].iloc[0]
    assert (tmp_path / f"out0/images/{row.id}.png").is_file()


def test_links_and_pipes_cannot_lead_out(photos, run, tmp_path):
    secret = put(tmp_path / "elsewhere/secret.jpg", 50)
    (photos / "cool/out.jpg").symlink_to(secret)
    (photos / "cool/up").symlink_to(tmp_path / "elsewhere")
    (photos / "cool/broken.jpg").symlink_to(photos / "cool/nowhere.jpg")
    (photos / "cool/loop.jpg").symlink_to(photos / "cool/loop.jpg")
    (photos / "cool/within.jpg").symlink_to(photos / "cool/anna__0.jpg")
    os.mkfifo(photos / "cool/pipe.jpg")
    manifest, rejected = run(photos)
    assert len(manifest) == 8
    assert reasons(rejected) == {
        "cool/out.jpg": "symbolic link that leaves the folder",
        "cool/up": "symbolic link that leaves the folder",
        "cool/broken.jpg": "not a regular file",
        "cool/loop.jpg": "not a regular file",
        "cool/pipe.jpg": "not a regular file",
        "cool/within.jpg": "same picture as cool/anna__0.jpg",
    }


def test_too_large_a_file_is_not_read(photos, run):
    with open(photos / "cool/huge.jpg", "wb") as file:
        file.truncate(100_000_001)  # sparse: takes no disk
    assert reasons(run(photos)[1]) == {"cool/huge.jpg": "100 MB; at most 100 MB are read"}


def test_duplicates_within_a_class_keep_the_first_by_name(photos, run):
    put(photos / "cool/sub/copy.jpg", 2)
    manifest, rejected = run(photos)
    assert reasons(rejected) == {"cool/sub/copy.jpg": "same picture as cool/anna__2.jpg"}
    assert len(manifest) == 8


def test_a_picture_with_two_labels_is_refused(photos, run):
    put(photos / "warm/anna.jpg", 0)
    manifest, rejected = run(photos)
    assert reasons(rejected) == {
        "cool/anna__0.jpg": "same picture under another label: warm/anna.jpg",
        "warm/anna.jpg": "same picture under another label: cool/anna__0.jpg",
    }
    assert len(manifest) == 7


def test_wild_keeps_what_the_pool_has_too(photos, run):
    put(photos / "wild/cool/exam.jpg", 0)
    manifest, rejected = run(photos)
    assert reasons(rejected) == {"cool/anna__0.jpg": "same picture as wild/cool/exam.jpg"}
    assert list(manifest.part) == ["pool"] * 7 + ["wild"]


def test_person_from_the_files_name(photos, run):
    put(photos / "warm/deep/anna__9.jpg", 90)
    put(photos / "warm/nobody.jpg", 91)
    manifest, _ = run(photos, person=r"(.+)__\d+")
    person = manifest.set_index("name").person
    assert person["cool/anna__1.jpg"] == person["warm/deep/anna__9.jpg"] == "anna"
    assert person["warm/bella__1.png"] == "bella"
    assert person["warm/nobody.jpg"] == ""


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_korean_and_odd_names(tmp_path, run, form):
    labels = ["쿨톤", "웜톤"]
    for i, label in enumerate(labels):
        for seed in range(3):
            name = unicodedata.normalize(form, f"{label}/민지__{seed}.jpg")
            put(tmp_path / "사진" / name, 10 * i + seed)
    odd = tmp_path / "사진" / unicodedata.normalize(form, "쿨톤")
    put(odd / 'two\nlines, "quoted"\r.jpg', 60)
    put(odd / os.fsdecode("옛날".encode("cp949") + b".jpg"), 61)  # from an old zip file
    manifest, rejected = run(tmp_path / "사진", person=r"(.+)__\d+", classes=labels)
    assert len(manifest) == 8 and len(rejected) == 0
    assert set(manifest.label) == set(labels)
    assert set(manifest.person) == {"민지", ""}
    assert "쿨톤/민지__0.jpg" in set(manifest.name)
    assert '쿨톤/two\nlines, "quoted"\r.jpg' in set(manifest.name)
    assert manifest.name.str.contains("\N{REPLACEMENT CHARACTER}").sum() == 1


def refusal(run, *args, **options):
    with pytest.raises(UserError) as error:
        run(*args, **options)
    return str(error.value)


@pytest.mark.parametrize("name", ["Icon\r", "=cmd(1).jpg", "@a\r\n.jpg", "-1+1.jpg", "'=a.jpg"])
def test_no_name_adds_a_line_or_a_formula(photos, run, tmp_path, name):
    put(photos / "cool" / name, 20, ".jpg")
    (photos / name).write_bytes(b"")
    run(photos)
    kept, refused = MANIFEST.read(tmp_path / "out0"), REJECTED.read(tmp_path / "out0")
    assert [row.name for row in kept if row.name.endswith(name)] == [f"cool/{name}"]
    assert [row.name for row in refused] == [name]
    assert len(kept) == 9
    for table in (MANIFEST, REJECTED):
        with table.path(tmp_path / "out0").open(encoding="utf-8", newline="") as file:
            assert not [c for line in csv.reader(file) for c in line if c[:1] in "=+-@\r" and c]


def test_missing_path_names_the_key(run, tmp_path):
    message = refusal(run, tmp_path / "nowhere")
    assert "tasks.tone.collect.path" in message and "nowhere" in message


@pytest.mark.parametrize("where", ["lukewarm", "wild/lukewarm"])
def test_folder_that_is_no_class_is_named_with_the_classes(photos, run, where):
    put(photos / where / "a.jpg", 5)
    message = refusal(run, photos)
    assert "'lukewarm'" in message and "'cool', 'warm'" in message


def test_missing_and_empty_class_folders_are_named(photos, run):
    (photos / "hot").mkdir()
    (photos / "hot/.DS_Store").touch()
    message = refusal(run, photos, classes=["cool", "warm", "hot", "cold"])
    assert "'hot', 'cold'" in message and "tasks.tone.collect.sources" in message
    assert "hidden file" in message


def test_person_that_matches_nothing_shows_a_name(photos, run):
    message = refusal(run, photos, person=r"person-(\d+)")
    assert "tasks.tone.collect.sources.0.person" in message and r"person-(\\d+)" in message
    assert ".jpg" in message or ".png" in message


@pytest.mark.parametrize("expression", ["(?P<a>x|xx)+y", "^(?P<a>(x|x[^y])+)-$"])
@pytest.mark.parametrize("key", ["person", "columns"])
def test_an_expression_that_takes_for_ever_is_named_with_the_name(
    photos, run, monkeypatch, expression, key
):
    monkeypatch.setattr("stages.collect.folder.SECONDS", 0.2)
    put(photos / "cool" / f"{'x' * 60}.jpg", 20)
    began = time.monotonic()
    with pytest.raises(UserError, match=rf"sources\.0\.{key}: .*takes over 0.2 s.*xxx\.jpg'"):
        run(photos, sources=[{"source": "folder", key: expression}])
    assert time.monotonic() - began < 5


def test_class_with_too_few_photos_is_named_with_the_reasons(photos, run):
    for seed in (1, 2):
        (photos / f"cool/anna__{seed}.jpg").write_bytes(b"")
    message = refusal(run, photos)
    assert "class 'cool' has 2 usable photos" in message and "empty file" in message


def test_check_passes_on_the_reason_of_a_source(tmp_path):
    def gone():
        raise BadImage("404 from the server")

    checked = check(Candidate("a", "cool", "", "pool", "web", gone), tmp_path)
    row = checked.row()
    assert (row.reason, row.name, checked.photo) == ("404 from the server", "a", None)
    assert checked.candidate.load is None  # it comes back from a worker for each photo


def test_truth_is_written_beside(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "truth/masks").mkdir(parents=True)
    data = cv2.imencode(".jpg", picture(1))[1].tobytes()
    mask = np.full((30, 40), 255, np.uint8)
    drawn = Candidate("a", "cool", "p", "wild", "x", lambda: Picture(data, (1, 2, 3, 4), mask))
    truth = check(drawn, tmp_path).truth
    assert [getattr(truth, side) for side in "xywh"] == [1, 2, 3, 4]
    assert (tmp_path / f"truth/masks/{truth.id}.png").is_file()


rows = st.lists(
    st.tuples(
        st.sampled_from("abcd"), st.sampled_from(["x", "y"]), st.sampled_from(["pool", "wild"])
    )
)


@settings(max_examples=50, deadline=None)
@given(rows)
def test_duplicates_are_settled_for_every_mix(rows):
    photos = [
        manifest_row(sha, label=label, part=part, name=f"photo{i}")
        for i, (sha, label, part) in enumerate(rows)
    ]
    photos.sort(key=lambda p: (p.part, p.label, p.name))
    checked = [Checked(Candidate(p.name, p.label, "", p.part, "x"), p) for p in photos]
    settled = set_duplicates_aside(checked)
    # in = kept + set aside
    assert [each.candidate.name for each in settled] == [photo.name for photo in photos]
    assert all((each.photo is None) == (each.candidate.reason != "") for each in settled)
    kept = [each.photo for each in settled if each.photo]
    for sha in {photo.sha256 for photo in photos}:
        twins = [photo for photo in photos if photo.sha256 == sha]
        left = [photo for photo in kept if photo.sha256 == sha]
        if len({photo.label for photo in twins}) > 1:
            assert not left
        else:
            assert len(left) == 1
            assert left[0].part == ("wild" if "wild" in {photo.part for photo in twins} else "pool")


def test_phash_tells_copies_from_others():
    def bits(a, b):
        return (int(phash(a), 16) ^ int(phash(b), 16)).bit_count()

    for seed in range(10):
        image = picture(seed, 200, 260)
        small = cv2.resize(image, (90, 120), interpolation=cv2.INTER_AREA)
        rough = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1)
        assert bits(image, small) <= 4 and bits(image, rough) <= 4
        assert bits(image, picture(seed + 100, 200, 260)) > 12
    assert len(phash(np.zeros((20, 20, 3), np.uint8))) == 16


@pytest.fixture
def project(tmp_path):
    """A folder with a params.yaml whose first task collects little, and that task's name."""
    content = complete()
    task = next(iter(content["tasks"]))
    drawn = content["tasks"][task]["collect"]["sources"][0]
    drawn |= {"people": 3, "photos": 1, "wild": 1, "size": 128}

    def write(**collect):
        content["tasks"][task]["collect"] |= collect
        write_params(content, tmp_path)
        FORGOTTEN.write(tmp_path, [])
        return subprocess.run(
            [sys.executable, "-m", "stages.collect", task],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )

    return tmp_path / "data/raw" / task, write


@pytest.mark.slow
def test_command_draws_photos_with_their_truth(project):
    out, command = project
    result = command()
    assert result.returncode == 0, result.stderr
    manifest, truth = read_table(out / "manifest.csv"), read_table(out / "truth/truth.csv")
    assert set(manifest.part) == {"pool", "wild"} and (manifest.person != "").all()
    assert list(truth.id) == list(manifest.id) and (truth.w.astype(int) > 20).all()
    assert {p.stem for p in (out / "truth/masks").iterdir()} == set(manifest.id)
    assert {p.name for p in (out / "images").iterdir()} == {f"{i}.jpg" for i in manifest.id}


def test_command_failing_leaves_what_was_there(project):
    out, command = project
    out.mkdir(parents=True)
    (out / "manifest.csv").write_text("old")
    result = command(sources=[{"source": "folder"}], path="nowhere")
    assert result.returncode == 1
    assert result.stderr.startswith("ERROR: ") and "Traceback" not in result.stderr
    assert "collect.path" in result.stderr
    assert (out / "manifest.csv").read_text() == "old" and len(list(out.parent.iterdir())) == 1


def test_counts_are_logged(photos, run, caplog):
    put(photos / "cool/copy.jpg", 0)
    with caplog.at_level(logging.INFO):
        run(photos)
    assert "kept 8 photos (pool 8), set aside 1" in caplog.text


def test_default_tasks_can_be_planned(forgotten):
    from stages.collect.drawn import candidates

    for task in load(ROOT / "params.yaml").tasks.values():
        [source] = task.collect.sources
        found = candidates(
            source, Context(task.collect.path, list(task.classes), "key", Path(), forgotten)
        )
        assert {c.label for c in found} == set(task.classes)
        assert not any(c.reason for c in found)
        assert len({c.name for c in found}) == len(found)


def test_sources_add_up_and_keep_their_licences(photos, run, tmp_path):
    put(tmp_path / "photos/studio/cool/carla__1.jpg", 30)
    (photos / "warm").rename(tmp_path / "photos/studio/warm")
    (photos / "cool").rename(tmp_path / "photos/street-cool")
    (tmp_path / "photos/street").mkdir()
    (tmp_path / "photos/street-cool").rename(tmp_path / "photos/street/cool")
    studio = {"source": "folder", "folder": "studio", "licence": "CC0", "author": "Studio K"}
    manifest, _ = run(photos, sources=[studio, {"source": "folder", "folder": "street"}])
    assert manifest.groupby("licence").size().to_dict() == {"CC0": 5, NOT_STATED: 4}
    assert set(manifest.author[manifest.licence == "CC0"]) == {"Studio K"}


def test_a_class_may_come_from_one_of_several_sources(photos, run):
    drawn = {"source": "synthetic", "signal": "undertone", "people": 3, "photos": 1, "wild": 0}
    drawn |= {"size": 128, "seed": 1}
    (photos / "warm/bella__0.png").rename(photos / "cool/bella__0.png")
    for path in (photos / "warm").iterdir():
        path.unlink()
    manifest, _ = run(photos, sources=[{"source": "folder"}, drawn])
    counts = manifest.groupby(["label", "source"]).size().to_dict()
    assert counts == {("cool", "folder"): 5, ("cool", "synthetic"): 3, ("warm", "synthetic"): 3}


def test_a_folder_outside_of_the_one_that_dvc_watches_is_refused(photos, run, tmp_path):
    put(tmp_path / "elsewhere/cool/a.jpg", 1)
    message = refusal(run, photos, sources=[{"source": "folder", "folder": "../elsewhere"}])
    assert "tasks.tone.collect.sources.0.folder" in message and "DVC" in message


def test_text_from_outside_becomes_one_valid_line():
    assert plain("a\x00b\r\n\tc \ud800 \u1100\u1161") == "a b c ? \uac00"
