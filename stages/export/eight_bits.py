"""Weights in 8 bits: a quarter of the size, the same computation.

What runs a file turns the weights back into float32, and activations are never rounded.

- ONNX: each 64 numbers of a tensor have a scale and a zero of their own. The face network was
  published in such blocks, so that its convolutions lose nothing.
- LiteRT knows no blocks: each channel of a layer's output has a scale of its own. The numbers
  by which the face network tells people apart are then off by 3 %. (What LiteRT calls dynamic
  range rounds activations too: 6 %.)
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

# Numbers in a tensor: smaller ones stay as they are. They are no burden, and the small products
# that cut out the face's window suffer most.
SMALLEST = 1 << 15
STEPS = 127  # from zero to the largest number of a channel
# The face network's dense layer has 6 million numbers, of which none weighs much. With fewer steps
# they compress to much less; docs/numbers.md has what answers lose.
HUGE, STEPS_OF_HUGE = 1 << 21, 24
BLOCK = 64
ONNX_AXES = {"Conv": 0, "Gemm": 1, "MatMul": 1}  # operation -> the axis of its output's channels


def rounded(weights: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """int8 numbers of the same shape, and float32 scales, one for each place on `axis`."""
    steps = STEPS_OF_HUGE if weights.size > HUGE else STEPS
    others = tuple(each for each in range(weights.ndim) if each != axis)
    scales = np.abs(weights).max(others, keepdims=True) / steps
    scales = np.where(scales > 0, scales, 1).astype(np.float32)
    return np.rint(weights / scales).astype(np.int8), scales.ravel()


def in_blocks(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """int8 numbers (n, `BLOCK`), and for each row a float32 scale and an int8 zero.

    `weights`: float32, n times `BLOCK` numbers in any shape.
    """
    blocks = weights.reshape(-1, BLOCK)
    low, high = np.minimum(blocks.min(1), 0), np.maximum(blocks.max(1), 0)
    scales = np.where(high > low, (high - low) / 255, 1).astype(np.float32)
    zeros = np.rint(-128 - low / scales)
    numbers = np.rint(blocks / scales[:, None]) + zeros[:, None]
    return np.clip(numbers, -128, 127).astype(np.int8), scales, zeros.astype(np.int8)


def of_onnx(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose convolutions and matrix products begin with DequantizeLinear."""
    new = onnx.ModelProto()
    new.CopyFrom(model)
    graph = new.graph
    tensors = {each.name: each for each in graph.initializer}
    nodes = []
    for node in graph.node:
        axis = ONNX_AXES.get(node.op_type)
        tensor = tensors.get(node.input[1]) if axis is not None else None
        if axis is not None and tensor is not None and np.prod(tensor.dims) >= SMALLEST:
            graph.initializer.remove(tensors.pop(tensor.name))
            weights, whole = numpy_helper.to_array(tensor), node.input[1]
            names = [f"{whole}_int8", f"{whole}_scale", f"{whole}_zero"]
            if weights.size > HUGE or weights.size % BLOCK:
                transposed = any(each.name == "transB" and each.i for each in node.attribute)
                axis = 0 if transposed else axis
                parts = rounded(weights, axis)
                nodes.append(helper.make_node("DequantizeLinear", names[:2], [whole], axis=axis))
            else:
                shape = numpy_helper.from_array(np.array(weights.shape), f"{whole}_shape")
                graph.initializer.append(shape)
                parts = in_blocks(weights)
                flat = f"{whole}_flat"
                nodes.append(helper.make_node("DequantizeLinear", names, [flat], axis=0))
                nodes.append(helper.make_node("Reshape", [flat, shape.name], [whole]))
            graph.initializer.extend(map(numpy_helper.from_array, parts, names))
        nodes.append(node)
    kept = [*map(_copy, nodes)]
    del graph.node[:]
    graph.node.extend(kept)
    return new


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    new = onnx.NodeProto()
    new.CopyFrom(node)
    return new


def of_litert(model: bytes) -> bytes:
    """A copy whose convolutions and dense layers begin with DEQUANTIZE."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    new = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    kinds = [each.builtinCode for each in new.operatorCodes]
    dequantize = schema.OperatorCodeT()
    dequantize.builtinCode = dequantize.deprecatedBuiltinCode = schema.BuiltinOperator.DEQUANTIZE
    dequantize.version = 2
    new.operatorCodes.append(dequantize)
    for graph in new.subgraphs:
        graph.operators = list(_with_dequantize(graph, new.buffers, kinds))
    builder = flatbuffers.Builder(len(model) // 2)
    builder.Finish(new.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _with_dequantize(graph: Any, buffers: list[Any], kinds: list[int]) -> Iterator[Any]:
    """The operations of `graph`, whose `kinds` those of the model's codes are; the code after these
    is DEQUANTIZE."""
    from ai_edge_litert import schema_py_generated as schema

    axes = {
        schema.BuiltinOperator.CONV_2D: 0,
        schema.BuiltinOperator.FULLY_CONNECTED: 0,
        schema.BuiltinOperator.DEPTHWISE_CONV_2D: 3,
    }
    known: dict[int, int] = {}  # tensor of weights -> the tensor that it is turned into
    for each in graph.operators:
        axis = axes.get(kinds[each.opcodeIndex])
        if axis is not None and each.inputs[1] not in known:
            place = int(each.inputs[1])
            tensor = graph.tensors[place]
            data = buffers[tensor.buffer].data
            floats = tensor.type == schema.TensorType.FLOAT32
            if floats and data is not None and len(data) >= 4 * SMALLEST:
                weights = np.frombuffer(bytes(data), np.float32).reshape(tensor.shape)
                numbers, scales = rounded(weights, axis)
                buffers[tensor.buffer].data = np.frombuffer(numbers.tobytes(), np.uint8)
                whole = schema.TensorT()
                whole.name, whole.shape, whole.type = tensor.name, tensor.shape, tensor.type
                known[place] = len(graph.tensors)
                graph.tensors.append(whole)
                tensor.name, tensor.type = tensor.name + b"_int8", schema.TensorType.INT8
                how = tensor.quantization = schema.QuantizationParametersT()
                how.scale, how.zeroPoint = scales, np.zeros(len(scales), np.int64)
                how.quantizedDimension = axis
                first = schema.OperatorT()
                first.opcodeIndex = len(kinds)
                first.inputs, first.outputs = [place], [known[place]]
                first.builtinOptionsType = schema.BuiltinOptions.DequantizeOptions
                first.builtinOptions = schema.DequantizeOptionsT()
                yield first
        each.inputs = [known.get(i, i) if n == 1 else i for n, i in enumerate(each.inputs)]
        yield each
