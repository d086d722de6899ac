"""The page without a server, of a small project whose networks are exported by hand."""

from pathlib import Path
from typing import Literal

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from app.publish.publish import find, publish
from app.publish.runtime import Runtime
from app.server.promoted import Promoted
from stages.common.files import new_file, sha256
from stages.params.merge import load_app, titles
from stages.records.calibration import CALIBRATION
from stages.records.chain import CHAIN
from stages.records.export import EXPORT, Card, File, Variant
from stages.records.faces import GEOMETRY
from stages.records.folders import of_all_tasks
from stages.records.promotion import answering
from stages.records.trials import CLASSES, MODEL


def write(root: Path, runtime: Runtime) -> Path:
    """`root`/site, of the networks that `root`/data/promote has."""
    for promoted in of_all_tasks("promote", root):
        export(promoted, root / "data/export" / promoted.name)
    names = titles(root / "params.yaml")
    sources = find(Promoted(root, list(names)).networks(), root)
    publish(root / "site", sources, runtime, load_app(root / "params.yaml"), names)
    return root / "site"


def export(promoted: Path, out: Path) -> None:
    """The network of `tests.promote.mini`: a trunk, which lays pixels in a row, and a head."""
    chain = promoted / answering(promoted)
    settings = CHAIN.read(chain)
    kernel, bias = keras.saving.load_model(chain / MODEL, compile=False).layers[-1].get_weights()
    size = len(kernel)
    side = settings.augment.size
    in_a_row = [
        helper.make_node("Transpose", ["pixels"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", ["last", "shape"], ["features"]),
    ]
    answer = [
        helper.make_node("Mul", ["features", "scale"], ["shares"]),
        helper.make_node("Gemm", ["shares", "kernel", "bias"], ["sums"]),
        helper.make_node("Softmax", ["sums"], ["classes"], axis=1),
    ]
    scale = np.array([1 / 255], np.float32)
    trunk = {"shape": np.array([1, size], np.int64)}
    head = {"kernel": kernel, "bias": bias, "scale": scale}
    files = (
        write_part(
            out, "trunk", in_a_row, trunk, [("pixels", 1, 3, side, side)], ("features", 1, size)
        ),
        write_part(out, "head", answer, head, [("features", 1, size)], ("classes", 1, len(bias))),
    )
    variant = Variant(
        runtime="onnx",
        weights="float32",
        shipped=True,
        files=files,
        calibration=CALIBRATION.read(chain),
        apart=0,
        milliseconds=1,
        gate=None,
    )
    card = Card(
        task=settings.task,
        title=settings.title,
        role=answering(promoted),
        network=sha256(chain / MODEL),
        kind=settings.kind,
        classes=CLASSES.read(chain),
        bins=None,
        unsure_below=settings.unsure_below,
        picture=settings.augment,
        crop=GEOMETRY.read(chain),
        face_width=settings.extract.face_width,
        views=("features",),
        outputs=("classes",),
        variants=(variant,),
        exam={},
        drawn=True,
        photos={"not stated": 24},
        weights={"face_detection_yunet": "MIT"},
    )
    EXPORT.write(out, card)


def write_part(
    out: Path,
    part: Literal["trunk", "head"],
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    inputs: list[tuple],
    output: tuple,
) -> File:
    """`inputs`, `output`: names with their shapes."""
    *given, said = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, *shape in (*inputs, output)
    ]
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, part, given, [said], tensors)
    opset = [helper.make_opsetid("", 15)]
    with new_file(out / f"{part}.onnx") as path:
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    path = out / f"{part}.onnx"
    return File(path.name, part, path.stat().st_size, sha256(path))
