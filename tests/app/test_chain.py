import io
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from app import chain as chain_module
from app.chain import Chain
from stages.common.errors import UserError
from stages.records.calibration import CALIBRATION, Sigma
from stages.records.chain import CHAIN, weights
from stages.records.flags import WORDS
from stages.records.predictions import UNSURE
from stages.records.weights import WEIGHTS
from stages.weights.known import CARRIER, SEGMENTERS, SELFIE
from tests.conftest import REPO
from tests.conftest import TASK as BUILT
from tests.promote.mini import CLASSES, TASK, build, write_network
from tests.tflite_file import red_channel
from tests.weights.conftest import published

LARGE = """
import io, re, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from PIL import Image
from app import memory
from app.chain import Chain

def peak():
    # Not the `resource` module's, which begins with that of the process that started this one.
    return int(re.search("VmHWM: *(.*) kB", Path("/proc/self/status").read_text())[1]) // 1024

data = io.BytesIO()
Image.new("RGB", (10_000, 10_000), "grey").save(data, "jpeg")
photo = data.getvalue()
memory.give_back()  # as the server and the registered model do
chain = Chain(Path(sys.argv[1]))
small = io.BytesIO()
Image.new("RGB", (640, 640)).save(small, "png")
chain.answer(small.getvalue())
before = peak()
assert chain.answer(photo).reason == "no face found"
one = peak() - before
with ThreadPoolExecutor(4) as pool:
    list(pool.map(chain.answer, [photo] * 4))
print(one, peak() - before)
"""


@pytest.fixture(scope="module")
def chain(promoted):
    return Chain(promoted / "data/promote" / TASK / "champion")


def photo_of(root: Path, task: str, photo: str) -> bytes:
    [file] = (root / "data/raw" / task / "images").glob(f"{photo}.*")
    return file.read_bytes()


def predictions(root: Path, task: str) -> pd.DataFrame:
    table = pd.read_csv(root / f"data/evaluate/{task}/predictions.csv", dtype={"id": str})
    return table[table["part"].isin(["test", "wild"])]


def assert_answers_are_those_of(table: pd.DataFrame, chain: Chain, root: Path, task: str) -> None:
    assert len(table)
    columns = [f"p_{name}" for name in chain.titles]
    for row in table.to_dict("records"):
        answer = chain.answer(photo_of(root, task, row["id"]))
        assert list(answer.probabilities) == list(chain.titles)
        found = list(answer.probabilities.values())
        np.testing.assert_allclose(found, [row[name] for name in columns], atol=1e-5)
        assert answer.label == row["predicted"]
        if np.isnan(row["predicted_value"]):
            assert answer.value is None
        else:
            assert answer.value == pytest.approx(row["predicted_value"], rel=1e-5)


@pytest.mark.slow
def test_originals_get_the_exam_s_answers(chain, promoted):
    """Trained and served are one: photo bytes through the chain, shards through the network."""
    assert_answers_are_those_of(predictions(promoted, TASK), chain, promoted, TASK)


def test_originals_get_the_answers_that_evaluate_wrote(built):
    folder = built.path / "data/promote" / BUILT
    role = "champion" if (folder / "champion").is_dir() else "challenger"
    table = predictions(built.path, BUILT)
    assert_answers_are_those_of(table, Chain(folder / role), built.path, BUILT)


@pytest.mark.slow
def test_what_yunet_and_selfie_have_seen_gets_the_exam_s_answers(tmp_path, monkeypatch):
    from stages.promote.__main__ import main as promote

    file = tmp_path / SELFIE.file
    file.write_bytes(red_channel())
    monkeypatch.setitem(SEGMENTERS, "selfie", published(SELFIE, file.read_bytes()))
    root = tmp_path / "project"
    build(root, monkeypatch, local=tmp_path)
    write_network(0.9, "4", wrong=5)
    promote(TASK)
    champion = root / "data/promote" / TASK / "champion"
    used = WEIGHTS.read(weights(champion))
    assert used.detector.name == ("yunet" if find_spec(CARRIER) else "haar")
    assert used.segmenter.name == "selfie"
    assert_answers_are_those_of(predictions(root, TASK), Chain(champion), root, TASK)


def test_an_answer(chain, promoted):
    row = predictions(promoted, TASK).iloc[0]
    answer = chain.answer(photo_of(promoted, TASK, row["id"]))
    assert answer.title == CLASSES[answer.label]
    assert answer.confidence == max(answer.probabilities.values())
    assert sum(answer.probabilities.values()) == pytest.approx(1)
    assert answer.reason == ""
    assert answer.value is None
    faces = pd.read_csv(promoted / f"data/faces/{TASK}/faces.csv", dtype={"id": str})
    face = faces.set_index("id").loc[row["id"]]
    assert answer.box == tuple(face[["x", "y", "w", "h"]])


def test_below_the_limit_alone_it_is_unsure(copy, promoted, chain):
    photo = photo_of(promoted, TASK, predictions(promoted, TASK)["id"].iloc[0])
    folder = copy / "data/promote" / TASK / "champion"
    sure = chain.answer(photo).confidence
    limits = [0.0, sure / 1.5, sure, np.nextafter(sure, 1), 0.99999]
    for limit in limits:
        CHAIN.write(folder, CHAIN.read(folder).model_copy(update={"unsure_below": float(limit)}))
        answer = Chain(folder).answer(photo)
        assert answer.answer == (UNSURE if sure < limit else answer.label), limit
        assert answer.label in CLASSES


@pytest.mark.slow
def test_a_number_and_the_classes_that_follow_from_it(copy, promoted):
    import keras

    from stages.networks.export import convert

    folder = copy / "data/promote" / TASK / "champion"
    layers = [keras.Input((16, 16, 3), dtype="uint8"), keras.layers.Rescaling(0.0, offset=30.0)]
    mean = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    model = keras.Sequential(layers + mean)
    mean[1].set_weights([np.full((3, 1), 1 / 3), np.array([4.0])])
    convert(model, folder)
    bins = {"cool": (0, 29), "warm": (30, 99)}
    regression = CHAIN.read(folder).model_copy(update={"kind": "regression", "bins": bins})
    CHAIN.write(folder, regression)
    CALIBRATION.write(folder, Sigma(4.5, bins))
    photo = photo_of(promoted, TASK, predictions(promoted, TASK)["id"].iloc[0])
    answer = Chain(folder).answer(photo)
    assert answer.value == pytest.approx(34)
    assert answer.label == "warm"
    assert answer.confidence == pytest.approx(0.8413, abs=1e-3)  # one sigma above the edge, 29.5


def encoded(image, **options):
    data = io.BytesIO()
    Image.fromarray(image).save(data, "png", **options)
    return data.getvalue()


def test_what_cannot_be_answered_gets_a_reason(chain, monkeypatch):
    grey = encoded(np.full((200, 200, 3), 128, np.uint8))
    for photo, reason in [
        (b"", "empty"),
        (b"<html>", "not a jpg"),
        (grey[:100], "damaged"),
        (grey, "no face found"),
        (encoded(np.zeros((20_000, 6_000), np.uint8)), "megapixels"),
        (encoded(np.zeros((16, 16_000), np.uint8)), "too narrow"),
    ]:
        answer = chain.answer(photo)
        assert reason in answer.reason
        assert (answer.label, answer.answer, answer.confidence) == (None, None, None)
    monkeypatch.setattr(chain_module, "MAX_BYTES", 10)
    assert "at most 10" in chain.answer(grey).reason


def test_nothing_about_one_photo_fails_another_s_answer(chain, promoted, monkeypatch):
    import pandas as pd

    from app.model import FaceModel

    photo = photo_of(promoted, TASK, predictions(promoted, TASK)["id"].iloc[0])
    odd = encoded(np.zeros((200, 300, 3), np.uint8))
    detect = type(chain._detector).detect

    def fails(self, image):
        if image.shape[1] == 300:
            raise MemoryError
        return detect(self, image)

    monkeypatch.setattr(type(chain._detector), "detect", fails)
    model = FaceModel()
    model._chain = chain
    first, second, third = model.predict(None, pd.DataFrame({"photo": [photo, odd, photo]}))[
        "reason"
    ]
    assert (first, second, third) == ("", "cannot be examined (MemoryError)", "")
    with pytest.raises(MemoryError):
        chain.examine(odd)  # what judges a champion must not take this for a wrong answer


@pytest.mark.slow
def test_large_photos_are_decoded_one_at_a_time(promoted):
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(promoted / "data/promote" / TASK / "champion")],
        env=os.environ | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=True,
    )
    one, four = map(int, done.stdout.split()[-2:])
    assert 300 < one < 1_000
    assert four < 1.5 * one  # without the lock it would be four times as much


def test_where_nothing_is_left_of_the_person_there_is_no_answer(chain, promoted, monkeypatch):
    def cut_out(image, session):
        alpha = np.zeros(image.shape[:2], np.uint8)
        alpha[: int(share * len(alpha))] = 255
        return np.dstack([image, alpha])

    monkeypatch.setattr(chain_module, "cut_out", cut_out)
    photo = photo_of(promoted, TASK, predictions(promoted, TASK)["id"].iloc[0])
    share = 0.04
    answer = chain.answer(photo)
    assert (answer.label, answer.reason) == (None, "almost nothing left of the person")
    assert answer.box is not None
    share = 0.07
    little = chain.answer(photo)
    assert little.label is not None
    assert WORDS["small"] in little.warnings and "small" in little.flags
    monkeypatch.setattr(chain, "_session", None)  # nothing has been cut out
    assert "small" not in chain.answer(photo).flags


def test_warnings(chain, promoted):
    table = predictions(promoted, TASK)
    one = np.asarray(Image.open(io.BytesIO(photo_of(promoted, TASK, table["id"].iloc[0]))))
    answer = chain.answer(encoded(np.hstack([one, one])))
    assert any("2 faces" in warning for warning in answer.warnings)
    assert WORDS["several"] not in answer.warnings and "several" in answer.flags
    dark = chain.answer(encoded((one * 0.25).astype(np.uint8)))
    assert WORDS["dark"] in dark.warnings
    assert answer.label is not None and dark.label is not None


@pytest.mark.slow
def test_it_answers_in_threads_as_alone(chain, promoted):
    photos = [photo_of(promoted, TASK, photo) for photo in predictions(promoted, TASK)["id"][:8]]
    alone = [chain.answer(photo) for photo in photos]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(chain.answer, photos)) == alone


@pytest.mark.parametrize("part", ["model.tflite", "chain.json", "weights/weights.json"])
def test_a_folder_that_lacks_a_part_is_refused(copy, part):
    folder = copy / "data/promote" / TASK / "champion"
    (folder / part).unlink()
    with pytest.raises(UserError, match="not a whole chain"):
        Chain(folder)
