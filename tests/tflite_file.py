"""A tiny network in TensorFlow Lite's format: it says a picture's red channel."""

import importlib.util
from pathlib import Path

import flatbuffers
import numpy as np

SIDE = 256


def red_channel() -> bytes:
    """One convolution, (1, SIDE, SIDE, 3) -> (1, SIDE, SIDE, 1), whose kernel is 1, 0, 0."""
    schema = _schema()
    kernel, bias = np.array([1, 0, 0], "<f4"), np.zeros(1, "<f4")
    shapes = {"in": (1, SIDE, SIDE, 3), "kernel": (1, 1, 1, 3), "bias": (1,)}
    shapes["out"] = (1, SIDE, SIDE, 1)
    contents = {"kernel": kernel, "bias": bias}
    model, graph, step = schema.ModelT(), schema.SubGraphT(), schema.OperatorT()
    model.version, model.buffers, graph.tensors = 3, [], []
    for number, (name, shape) in enumerate(shapes.items()):
        buffer, tensor = schema.BufferT(), schema.TensorT()
        if name in contents:
            buffer.data = np.frombuffer(contents[name].tobytes(), np.uint8)
        tensor.name, tensor.shape, tensor.buffer = name, list(shape), number
        model.buffers.append(buffer)
        graph.tensors.append(tensor)
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    options = schema.Conv2DOptionsT()
    options.strideW = options.strideH = 1
    step.inputs, step.outputs = [0, 1, 2], [3]
    step.builtinOptionsType, step.builtinOptions = schema.BuiltinOptions.Conv2DOptions, options
    graph.inputs, graph.outputs, graph.operators = [0], [3], [step]
    model.operatorCodes, model.subgraphs = [code], [graph]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _schema():
    """TensorFlow's generated module, without the seconds that TensorFlow itself takes."""
    folder, *_ = importlib.util.find_spec("tensorflow").submodule_search_locations
    path = Path(folder, "lite/python/schema_py_generated.py")
    spec = importlib.util.spec_from_file_location("tflite_schema", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
