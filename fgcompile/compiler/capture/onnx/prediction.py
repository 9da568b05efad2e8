"""A quantised file's own nodes, for the prediction of an artifact on demand: the integer kernels that it was made for.

What is explained is the same network in floating-point numbers of the same levels; they are checked in float64.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import version_converter

from fgcompile.compiler.capture.onnx.comparison import keep
from fgcompile.compiler.capture.onnx.model import OnnxModel
from fgcompile.compiler.request import Request


def own_prediction(model: object, request: Request, opset: int) -> bytes | None:
    """The graph of a file that computes what is explained, serialised; None where it does not serve.

    It is as it is in the file but for the opset. Its inputs are in the order of the model's.

    Args:
        model: A file as it was read: ONNX Runtime is to be the same for a sample whatever its batch, and for any
            batch, and the artifact's inputs and logits are to be the file's.
        request: What the artifact is to be.
        opset: That of the artifact.
    """
    if not isinstance(model, OnnxModel) or not _is_served(model) or not _is_wanted(request):
        return None
    return _graph(model, opset)


def _is_wanted(request: Request) -> bool:
    """Whether the artifact is to predict at the price of the file, and of what the file takes."""
    others = request.preprocess or request.dynamic_sizes or request.biases == "inputs" or "model" in request.outputs
    plain = request.precision == "float32" and request.method != "smooth_fullgrad"
    return request.on_demand and request.format == "onnx" and plain and not others


def _is_served(model: OnnxModel) -> bool:
    by_itself = not model.apart and model.file_batch is None and not any(model.batch_axes) and not model.fixed
    single = all(fact.dtype == torch.float32 or not fact.dtype.is_floating_point for fact in model.inputs)
    return model.quantised and by_itself and single and model.output_names == model.explained.in_file


def _graph(model: OnnxModel, opset: int) -> bytes | None:
    proto = _at_opset(model.path, opset)
    if proto is None:
        return None
    keep(proto.graph, model.explained.in_file)
    nodes = proto.graph.node
    standard = all(not node.domain and not any(one.HasField("g") for one in node.attribute) for node in nodes)
    read = {name for node in nodes for name in node.input}
    constants = [tensor for tensor in proto.graph.initializer if tensor.name in read]
    taken = read - {tensor.name for tensor in constants} - {name for node in nodes for name in node.output} - {""}
    if not standard or taken != set(model.input_names):
        return None
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(constants)
    ordered = {value.name: value for value in proto.graph.input}
    inputs = [ordered[name] for name in model.input_names]
    del proto.graph.input[:]
    proto.graph.input.extend(inputs)
    serialised: bytes = proto.graph.SerializeToString()
    return serialised


def _at_opset(path: Path, opset: int) -> onnx.ModelProto | None:
    """The file, its operators in the form of an opset, where ONNX's own converter has that."""
    proto = onnx.load(str(path))
    own = next((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), opset)
    if own == opset:
        return proto
    try:
        return version_converter.convert_version(proto, opset) if own < opset else None
    except RuntimeError:  # an operator that it cannot convert
        return None
