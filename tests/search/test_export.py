"""Each kind of network that a search tries answers the same without TensorFlow.

But for those that are Keras' own, which take minutes to convert.
"""

import autokeras as ak
import keras
import keras_tuner
import pytest

from stages.networks.export import save
from stages.records.faces import EyePlaces
from stages.records.shards import InMemory
from stages.search.trial.blocks import ImageBlock
from stages.search.trial.pure_keras import pure_keras
from stages.search.trial.space import SMALL, space
from tests.networks.saved import faces
from tests.networks.test_sface import write

SIDE = 64


@pytest.mark.slow
@pytest.mark.parametrize("block", [*SMALL, "squeezenet"])
def test_it_converts(block, tmp_path):
    files = {}
    if block == "face":
        files[block] = tmp_path / "sface.onnx"
        write(files[block])
    image = ak.ImageInput()
    image.shape, image.dtype = (SIDE, SIDE, 3), "uint8"
    head = ak.ClassificationHead(num_classes=3)
    head.shape = (3,)
    keras.backend.clear_session()  # AutoKeras numbers its blocks
    node = ImageBlock(files, EyePlaces(SIDE, ((20, 26), (44, 26))), name="image_block_1")(image)
    hp: keras_tuner.HyperParameters = space([block], False, False)
    built = pure_keras(ak.graph.Graph(inputs=image, outputs=head(node)).build(hp))
    save(built, tmp_path, InMemory(faces(3, SIDE)))  # which compares them
