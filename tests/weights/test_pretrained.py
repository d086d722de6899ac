"""ImageNet weights: which a task asks for, where they come from, and what a missing one says."""

import hashlib

import pytest

from stages.common.errors import UserError
from stages.common.files import sha256
from stages.records.params import Task
from stages.weights import pretrained as module
from stages.weights.known import PRETRAINED
from stages.weights.pretrained import LARGE, pretrained, wanted
from tests.params_yaml import complete
from tests.weights.conftest import files, places, published

CONTENT = b"pretend to be a network"


def task(*networks, same_face=None, **search):
    params = complete()
    own = params["tasks"]["harry"] | {"weights": params["weights"]}
    own["search"] |= search
    own["split"] |= {"same_face": same_face}
    budget = {"epochs": 1, "batch_size": 1, "samples_per_epoch": None}
    own["baseline"]["networks"] = [budget | {"name": name} for name in networks]
    return Task.model_validate(own)


@pytest.fixture
def pinned(monkeypatch):
    for name, real in PRETRAINED.items():
        monkeypatch.setitem(module.PRETRAINED, name, published(real, CONTENT))


def local(tmp_path, *names, content=CONTENT):
    folder = tmp_path / "mine"
    folder.mkdir()
    for name in names:
        (folder / PRETRAINED[name].file).write_bytes(content)
    return folder


@pytest.mark.parametrize(
    ("own", "names"),
    [
        ({"pretrained": False, "blocks": "auto"}, {"face": True}),
        ({"pretrained": False, "blocks": ["resnet"]}, {}),
        ({"pretrained": True, "blocks": ["vanilla", "residual"]}, {}),
        ({"pretrained": True, "blocks": ["vanilla", "resnet"]}, {"resnet": True}),
        (
            {"pretrained": True, "blocks": "auto"},
            {"squeezenet": True, "efficient": False, "resnet": False, "xception": False}
            | {"face": True},
        ),
    ],
)
def test_what_a_search_asks_for(own, names):
    assert wanted(task(**own)) == names


def test_comparing_faces_asks_for_sface():
    assert wanted(task(same_face=0.4, pretrained=False, blocks=["vanilla"])) == {"face": True}


def test_vgg_networks_ask_for_vgg16():
    scratch = {"pretrained": False, "blocks": ["vanilla"]}
    assert wanted(task("age_cnn", "idol_dnn", **scratch)) == {}
    assert wanted(task("age_vgg16", **scratch)) == {"vgg16": True}
    both = task("tone_vgg", pretrained=True, blocks=["squeezenet"])
    assert wanted(both) == {"squeezenet": True, "vgg16": True}


@pytest.mark.parametrize("name", PRETRAINED)
def test_download_is_kept_with_its_sha256(pinned, name, tmp_path, served, out):
    folder, url = served
    (folder / PRETRAINED[name].file).write_bytes(CONTENT)
    found = pretrained({name: True}, places(tmp_path, url), out)[name]
    assert (found.file, found.source) == (PRETRAINED[name].file, "download")
    assert found.sha256 == sha256(out / found.file) == hashlib.sha256(CONTENT).hexdigest()
    offline = places(tmp_path, "http://127.0.0.1:1", download=False)
    assert pretrained({name: True}, offline, out)[name] == found  # from the cache


def test_the_users_folder_comes_first(pinned, tmp_path, out):
    mine = local(tmp_path, *PRETRAINED)
    found = pretrained(dict.fromkeys(PRETRAINED, True), places(tmp_path, local=mine), out)
    assert {each.source for each in found.values()} == {"local folder"}
    assert files(out) == sorted(each.file for each in PRETRAINED.values())


def test_auto_takes_large_files_from_the_users_folder_only(pinned, tmp_path, served, out):
    folder, url = served
    for name in LARGE:
        (folder / PRETRAINED[name].file).write_bytes(CONTENT)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / PRETRAINED["resnet"].file).write_bytes(CONTENT)
    where = places(tmp_path, url, local=local(tmp_path, "efficient"))
    found = pretrained(dict.fromkeys(LARGE, False), where, out)
    assert [found[name].source for name in LARGE] == ["local folder", "", ""]
    assert files(out) == [PRETRAINED["efficient"].file]
    for said in ("resnet", "auto downloads no large file", PRETRAINED["resnet"].file):
        assert said in found["resnet"].note


@pytest.mark.parametrize("name", ["squeezenet", "vgg16"])  # pinned by sha256, and by md5
def test_wrong_content_in_the_users_folder_is_refused(pinned, name, tmp_path, out):
    wrong = b"not it"
    mine = local(tmp_path, name, content=wrong)
    with pytest.raises(UserError) as error:
        pretrained({name: True}, places(tmp_path, local=mine), out)
    real = module.PRETRAINED[name]
    kind, _, expected = real.hash.partition(":")
    found = hashlib.new(kind, wrong).hexdigest()
    for said in (str(mine / real.file), kind, found, expected, real.url):
        assert said in str(error.value)
    assert files(out) == []


@pytest.mark.parametrize("name", ["squeezenet", "vgg16"])
def test_a_damaged_file_in_the_cache_is_replaced(pinned, name, tmp_path, served, out):
    folder, url = served
    file = PRETRAINED[name].file
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / file).write_bytes(b"half of i")
    assert pretrained({name: True}, places(tmp_path, download=False), out)[name].file is None
    (folder / file).write_bytes(CONTENT)
    assert pretrained({name: True}, places(tmp_path, url), out)[name].file == file
    assert (tmp_path / "cache" / file).read_bytes() == (out / file).read_bytes() == CONTENT
    assert files(tmp_path / "cache") == [file]


def test_wrong_bytes_of_a_server_are_a_note_and_leave_nothing(pinned, tmp_path, served, out):
    folder, url = served
    (folder / PRETRAINED["vgg16"].file).write_bytes(b"something else")
    found = pretrained({"vgg16": True}, places(tmp_path, url), out)["vgg16"]
    assert (found.file, found.sha256, found.source) == (None, None, "")
    assert "another md5" in found.note
    assert files(out) == files(tmp_path / "cache") == []


@pytest.mark.parametrize(
    ("download", "why"), [(False, "weights.download is false"), (True, "no connection to 127")]
)
def test_what_cannot_be_had_says_why_and_what_to_do(pinned, tmp_path, out, download, why):
    where = places(tmp_path, "http://127.0.0.1:1", download=download)
    found = pretrained({"squeezenet": True}, where, out)["squeezenet"]
    assert found.file is None
    real = PRETRAINED["squeezenet"]
    for said in (why, real.file, real.url, "weights.local", "dvc repro -f weights"):
        assert said in found.note


def test_one_host_that_cannot_be_reached_says_nothing_about_another(pinned, tmp_path, served, out):
    folder, url = served
    (folder / PRETRAINED["vgg16"].file).write_bytes(CONTENT)
    where = places(tmp_path, "http://127.0.0.1:1")
    assert pretrained({"squeezenet": True}, where, out)["squeezenet"].file is None
    where.mirror = url
    assert pretrained({"vgg16": True}, where, out)["vgg16"].source == "download"


def test_keras_cache_is_never_looked_into(pinned, tmp_path, out, monkeypatch):
    home = tmp_path / "keras"
    (home / "models").mkdir(parents=True)
    (home / "models" / PRETRAINED["resnet"].file).write_bytes(CONTENT)
    monkeypatch.setenv("KERAS_HOME", str(home))
    assert (
        pretrained({"resnet": True}, places(tmp_path, download=False), out)["resnet"].file is None
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "network"),
    [
        ("efficient", "EfficientNetB0"),
        ("resnet", "ResNet50V2"),
        ("xception", "Xception"),
        ("vgg16", "VGG16"),
    ],
)
def test_file_address_and_hash_are_those_of_the_installed_keras(name, network, monkeypatch):
    import keras
    from keras.src.utils import file_utils

    asked = []

    class Asked(Exception):
        pass

    def get_file(fname, origin, file_hash, **kwargs):
        asked.append((fname, origin, f"md5:{file_hash}"))
        raise Asked

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.raises(Asked):
        getattr(keras.applications, network)(weights="imagenet", include_top=False)
    real = PRETRAINED[name]
    assert asked == [(real.file, real.url, real.hash)]
