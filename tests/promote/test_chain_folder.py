import pytest

from stages.promote.chain_folder import copy_weights
from stages.records.weights import WEIGHTS, Weight, Weights


@pytest.mark.parametrize("segmenter", ["u2netp.onnx", None])
def test_a_chain_has_the_weights_of_its_detector_and_its_segmenter_only(tmp_path, segmenter):
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()

    def weight(name, file):
        if file:
            (source / file).write_bytes(name.encode())
        return Weight(name=name, file=file, sha256=None, source="download")

    found = Weights(
        detector=weight("haar", "haar.xml"),
        segmenter=weight("some", segmenter),
        pretrained={"vgg16": weight("vgg16", "vgg16.h5")},
    )
    WEIGHTS.write(source, found)
    copy_weights(source, out)
    kept = [segmenter] if segmenter else []
    assert {file.name for file in out.iterdir()} == {"haar.xml", "weights.json", *kept}
    assert (out / "haar.xml").read_bytes() == b"haar"
    assert WEIGHTS.read(out) == Weights(detector=found.detector, segmenter=found.segmenter)
