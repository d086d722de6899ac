"""What decides a baseline's result: code, and ImageNet weights where there are some."""

import pytest

from stages.baseline import baseline, systems
from stages.baseline.system import Job
from stages.common.closure import closure
from stages.records.params import Baseline, Network
from stages.records.weights import Weight
from tests.baseline.conftest import write_weights


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("majority", {"majority.py"}),
        ("hog", {"linear.py", "edges.py", "channels.py", "middle.py", "resample.py"}),
        ("lab", {"linear.py", "colour.py", "channels.py", "middle.py"}),
        (
            "age_cnn",
            {"network.py", "networks.py", "batches.py", "bins.py", "channels.py", "predict.py"},
        ),
        (
            "tone_vgg",
            {"network.py", "networks.py", "batches.py", "bins.py", "channels.py", "predict.py"},
        ),
    ],
)
def test_the_code_that_is_watched_is_the_code_that_runs(name, code):
    budget = {"epochs": 1, "batch_size": 1, "samples_per_epoch": None}
    networks = [] if name in ("majority", "hog", "lab") else [{"name": name} | budget]
    classical = name if name == "lab" else "hog"
    params = Baseline.model_validate({"classical": classical, "networks": networks, "seed": 1})
    [system] = [each for each in systems.systems(params) if each.name == name]
    rooms = ("baseline", "networks")
    watched = {path.name for path in closure(*system.modules) if path.parent.name in rooms}
    assert watched == {"__init__.py", "system.py"} | code


def network(name):
    return Network(name=name, epochs=1, batch_size=20, samples_per_epoch=20)


def test_networks_without_their_imagenet_weights_are_one_warning(tmp_path, caplog):
    networks = [network("tone_vgg"), network("age_cnn"), network("age_vgg16")]
    why = Weight(name="vgg16", file=None, sha256=None, source="", note="no weights")
    write_weights(tmp_path, vgg16=why)
    assert baseline._pretrained(networks, tmp_path) == {}
    write_weights(tmp_path)  # made before a VGG network was asked for
    assert baseline._pretrained(networks, tmp_path) == {}
    first, second = [record.getMessage() for record in caplog.records]
    assert first == "tone_vgg, age_vgg16: trained from scratch; no weights"
    assert "run `dvc repro weights`" in second


def test_imagenet_weights_are_given_to_those_that_want_them_and_decide_the_result(tmp_path):
    file = tmp_path / "vgg16.h5"
    found = Weight(name="vgg16", file=file.name, sha256="", source="download")
    write_weights(tmp_path, vgg16=found)
    networks = (network("tone_vgg"), network("age_cnn"))
    assert baseline._pretrained(networks, tmp_path) == {"tone_vgg": file}
    params = Baseline(classical="hog", networks=networks, seed=1)
    vgg = systems.systems(params)[2]
    keys = {baseline.key(vgg, Job({}, 2, 1), "data")}
    for content in (b"one", b"other"):
        file.write_bytes(content)
        job = Job({}, 2, 1, file)
        keys.add(baseline.key(vgg, job, "data"))
        assert baseline._weights(vgg, job) == "ImageNet"
    assert len(keys) == 3
