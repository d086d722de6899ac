"""data/export/<task> of a promoted network: what a program without TensorFlow needs."""

import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import keras
import numpy as np
import pytest

from stages.common.errors import UserError
from stages.export import export as export_module
from stages.export import judge
from stages.export.__main__ import main
from stages.export.runtimes import Exported
from stages.networks.predict import outputs
from stages.promote.__main__ import main as promote
from stages.records.export import EXPORT
from stages.records.folders import Folders
from stages.records.shards import Shards
from stages.records.trials import MODEL
from tests.promote import mini

pytestmark = pytest.mark.slow
AT = Folders(mini.TASK)
# What each runtime imports, and no more.
RUNTIMES = {
    "litert": (
        "ai_edge_litert",
        "numpy",
        "numpy.libs",
        "flatbuffers",
        "tqdm",
        "google",
        "backports",
    ),
    "onnx": ("onnxruntime", "numpy", "numpy.libs", "flatbuffers", "google", "packaging"),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The working folder: a champion that knows the exam, exported."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("exported") / "project"
        shutil.copytree(mini.shared(tmp_path_factory), root)
        patch.chdir(root)
        mini.write_network(1.0, "a1", number=True)
        promote(mini.TASK)
        main(mini.TASK)
        yield root


@pytest.fixture
def here(exported, tmp_path, monkeypatch):
    """A copy that a test may change."""
    shutil.copytree(exported, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")


def test_each_runtime_answers_every_test_photo_as_keras(exported):
    card, folder = EXPORT.read(AT.export), AT.promote / "champion"
    test = Shards(AT.shards / "test")
    wanted = outputs(keras.saving.load_model(folder / MODEL, compile=False), test)
    for each in card.variants:
        ready = Exported(each.runtime, [AT.export / f.file for f in each.files], card.views)
        said = outputs(ready, test)
        np.testing.assert_allclose(said.raw, wanted.raw, atol=1e-4)
        np.testing.assert_allclose(said.values, wanted.values, rtol=1e-4)
    assert {each.runtime for each in card.variants if each.shipped} == {"litert", "onnx"}


def test_the_card_says_what_the_files_are(exported):
    card = EXPORT.read(AT.export)
    assert card.role == "champion" and card.classes == mini.CLASSES and card.drawn
    assert card.outputs == ("classes", "value") and card.views == ("pixels",)
    assert sum(card.photos.values()) and set(card.weights.values()) <= {"MIT", "Apache-2.0"} | {
        "Intel License Agreement For Open Source Computer Vision Library"
    }
    assert card.exam["test"].n == 8
    for each in card.variants:
        for file in each.files:
            assert (AT.export / file.file).stat().st_size == file.bytes
    listed = {file.file for each in card.variants for file in each.files}
    assert {path.name for path in AT.export.iterdir()} == listed | {"card.json", "README.md"}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_files_answer_where_there_is_no_tensorflow(exported, tmp_path, runtime):
    """The example of README.md itself, for LiteRT, in a Python that has only these packages."""
    for name in RUNTIMES[runtime]:
        spec = find_spec(name) if "." not in name else None
        places = list(spec.submodule_search_locations) if spec else []
        place = Path(places[0]) if places else Path(np.__file__).parents[1] / name
        if place.is_dir():
            (tmp_path / name).symlink_to(place)
    test = Shards(AT.shards / "test").read(np.arange(1))
    np.save(tmp_path / "picture.npy", test)
    lines = {
        "litert": re.findall(r"```python\n(.*?)```", (AT.export / "README.md").read_text(), re.S)[
            0
        ],
        "onnx": "import json, numpy as np, onnxruntime\n"
        "card = json.load(open('card.json'))\n"
        "take = next(v for v in card['variants'] if v['shipped'] and v['runtime'] == 'onnx')\n"
        "[file] = take['files']\n"
        "pixels = picture.transpose(0, 3, 1, 2).astype(np.float32)\n"
        "answers = onnxruntime.InferenceSession(file['file']).run(None, {'pixels': pixels})\n",
    }[runtime]
    code = (
        f"import sys; sys.path.append({str(tmp_path)!r})\nimport numpy\n"
        f"picture = numpy.load({str(tmp_path / 'picture.npy')!r})\n{lines}\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
        "print(json.dumps([each.tolist() for each in answers]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code],
        cwd=AT.export,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    classes, value = json.loads(done.stdout)
    network = keras.saving.load_model(AT.promote / "champion" / MODEL, compile=False)
    for said, wanted in zip((classes, value), network.predict_on_batch(test), strict=True):
        np.testing.assert_allclose(said, wanted, rtol=1e-4, atol=1e-4)


def test_a_refused_int8_file_is_not_there_and_the_readme_says_why(here, monkeypatch):
    monkeypatch.setattr(export_module, "WORTH", 2)  # this network is too small to be worth 8 bits
    monkeypatch.setattr(judge, "LOWER", -1)  # nothing passes
    main(mini.TASK)
    card, text = EXPORT.read(AT.export), (AT.export / "README.md").read_text()
    assert [(each.weights, each.shipped) for each in card.variants] == 2 * [
        ("float32", True),
        ("int8", False),
    ]
    assert not list(AT.export.glob("*int8*"))
    assert all(each.files == () for each in card.variants if each.weights == "int8")
    assert text.count("int8 is not shipped: balanced accuracy") == 2


def test_a_passed_int8_file_is_the_one_to_take(here, monkeypatch):
    monkeypatch.setattr(export_module, "WORTH", 2)
    main(mini.TASK)
    card = EXPORT.read(AT.export)
    assert [(each.weights, each.shipped) for each in card.variants] == 2 * [
        ("float32", False),
        ("int8", True),
    ]
    assert all(each.gate and each.gate.passed for each in card.variants if each.shipped)


def test_a_file_of_another_network_is_refused(here, monkeypatch):
    convert = export_module.convert
    other = keras.Sequential(
        [keras.Input((16, 16, 3), dtype="uint8", name="pixels"), keras.layers.Rescaling(1 / 255)]
        + [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    )
    both = keras.Model(other.inputs, [other.outputs[0], other.outputs[0][:, :1]])
    monkeypatch.setattr(export_module, "convert", lambda _, folder: convert(both, folder))
    before = (AT.export / "card.json").read_bytes()
    with pytest.raises(UserError, match=r"network\.tflite answers a test photo differently"):
        main(mini.TASK)
    assert (AT.export / "card.json").read_bytes() == before  # the old folder is whole


def test_without_a_champion_it_is_the_challenger_and_marked(here):
    (AT.promote / "champion").rename(AT.promote / "challenger")
    main(mini.TASK)
    assert EXPORT.read(AT.export).role == "challenger"
    assert "Not promoted: this is a challenger" in (AT.export / "README.md").read_text()


def test_without_any_network_the_error_says_what_to_run(here):
    shutil.rmtree(AT.promote / "champion")
    with pytest.raises(UserError, match=r"no network to export; run `dvc repro promote@tone`"):
        main(mini.TASK)


def test_a_champion_of_another_picture_size_sees_the_photos_through_its_chain(here):
    from stages.export.pictures import photos_as_seen
    from stages.records.chain import CHAIN

    champion = AT.promote / "champion"
    same = photos_as_seen(AT, "test", champion)
    chain = CHAIN.read(champion)
    larger = chain.augment.__class__(24, chain.augment.channels, chain.augment.background)
    CHAIN.write(champion, chain.model_copy(update={"augment": larger}))
    found = photos_as_seen(AT, "test", champion)
    assert found.pictures.shape == (len(found.ids), 24, 24, 3)
    assert found.ids == same.ids and (found.labels == same.labels).all()
