"""A network as ONNX: one picture in, plain operations, so that small runtimes read it, too.

Keras writes ONNX by tf2onnx. What comes out is made simpler: the picture is float32 instead of
uint8, channels first, as runtimes without TensorFlow have it; the number of pictures is fixed at 1,
so that no operation computes shapes; batch normalisation is in the convolutions' weights; PReLU is
one operation. Names are numbers in the order of use, so that the same network is the same file.
"""

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import keras
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from stages.common.backend import silent_stderr


def of_keras(network: keras.Model, outputs: tuple[str, ...]) -> onnx.ModelProto:
    """`network`: its inputs have names, and those with three axes are pictures.

    `outputs`: their names.
    """
    inputs = [_first_channels(each) for each in network.inputs]
    seen = [
        keras.ops.transpose(each, (0, 2, 3, 1)) if len(each.shape) == 4 else each for each in inputs
    ]
    wrapped = keras.Model(inputs, network(seen if len(seen) > 1 else seen[0]))
    signature = [
        keras.InputSpec(shape=(1, *i.shape[1:]), dtype="float32", name=i.name) for i in inputs
    ]
    with TemporaryDirectory() as scratch, warnings.catch_warnings(), silent_stderr():
        warnings.simplefilter("ignore")
        raw = Path(scratch, "raw.onnx")
        shape = signature if len(signature) == 1 else [signature]
        wrapped.export(raw, format="onnx", verbose=False, input_signature=shape)
        model = onnx.load(raw)
        _without_uint8(model.graph)
        onnx.save(model, raw)
        model = _optimised(raw, Path(scratch, "optimised.onnx"))
    _join_prelu(model.graph)
    return _named(model, outputs)


def _first_channels(place: keras.KerasTensor) -> keras.KerasTensor:
    shape = place.shape[1:]
    if len(shape) == 3:
        shape = shape[-1:] + shape[:-1]
    return keras.Input(shape, dtype="float32", name=place.name)


def _without_uint8(graph: onnx.GraphProto) -> None:
    """Pixels are whole numbers from 0 to 255 already."""
    renamed: dict[str, str] = {}
    for node in list(graph.node):
        node.input[:] = [renamed.get(each, each) for each in node.input]
        if node.op_type == "Cast" and node.attribute[0].i == TensorProto.UINT8:
            renamed[node.output[0]] = node.input[0]
            graph.node.remove(node)


def _optimised(source: Path, target: Path) -> onnx.ModelProto:
    """By onnxruntime, into the same operations that every runtime has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return onnx.load(target)


def _join_prelu(graph: onnx.GraphProto) -> None:
    """relu(x) + (-a) relu(-x), which Keras writes, becomes PRelu(x, a)."""
    made = {name: node for node in graph.node for name in node.output}
    known = {each.name: each for each in graph.initializer}

    def parts(node: onnx.NodeProto, kind: str) -> list[onnx.NodeProto | None]:
        return [made.get(each) for each in node.input] if node.op_type == kind else []

    for node in list(graph.node):
        for positive, scaled in _either_way(parts(node, "Add")):
            if not positive or positive.op_type != "Relu" or not scaled:
                continue
            for negative, factor in _either_way(parts(scaled, "Mul")):
                minus = negative and negative.op_type == "Relu" and made.get(negative.input[0])
                slope = next((known[i] for i in scaled.input if i in known), None)
                if factor or not minus or minus.op_type != "Neg" or slope is None:
                    continue
                if minus.input[0] != positive.input[0]:
                    continue
                slopes = -numpy_helper.to_array(slope)
                slopes = slopes.reshape(slopes.shape[-3:])  # without the axis of pictures
                name = f"{node.output[0]}_slope"
                graph.initializer.append(numpy_helper.from_array(slopes, name))
                node.op_type = "PRelu"
                node.input[:] = [positive.input[0], name]


def _either_way(pair: list) -> Iterator[tuple]:
    if len(pair) == 2:
        yield pair[0], pair[1]
        yield pair[1], pair[0]


def _named(model: onnx.ModelProto, outputs: tuple[str, ...]) -> onnx.ModelProto:
    """What the outputs need, in the order in which they need it, with numbers for names; equal
    tensors once."""
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}
    known = {each.name: each for each in graph.initializer}
    names = {each.name: each.name for each in graph.input}
    names |= dict(zip((each.name for each in graph.output), outputs, strict=True))
    nodes: list[onnx.NodeProto] = []
    tensors: dict[tuple[str, tuple[int, ...], bytes], onnx.TensorProto] = {}
    done = {"", *(each.name for each in graph.input)}

    def add(name: str) -> None:
        if name in done:
            return
        if name in known:
            array = np.ascontiguousarray(numpy_helper.to_array(known[name]))
            key = str(array.dtype), array.shape, array.tobytes()
            tensors.setdefault(key, numpy_helper.from_array(array, f"w{len(tensors)}"))
            names[name] = tensors[key].name
            done.add(name)
            return
        node = made[name]
        for each in node.input:
            add(each)
        for number, each in enumerate(node.output):
            names.setdefault(each, f"t{len(nodes)}_{number}")
            done.add(each)
        nodes.append(_renamed(node, names))

    for each in graph.output:
        add(each.name)
    for value in (*graph.input, *graph.output):
        value.name = names[value.name]
    plain = helper.make_graph(
        nodes, "network", list(graph.input), list(graph.output), list(tensors.values())
    )
    opsets = [each for each in model.opset_import if not each.domain]
    return helper.make_model(plain, opset_imports=opsets, ir_version=model.ir_version)


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    new = onnx.NodeProto()
    new.CopyFrom(node)
    new.name = ""
    new.doc_string = ""
    new.input[:] = [names.get(each, each) for each in node.input]
    new.output[:] = [names.get(each, each) for each in node.output]
    return new
