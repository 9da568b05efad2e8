"""A quantised file's own nodes, for the prediction of an artifact on demand: the integer kernels that it was made for.

What is explained is the same network in floating-point numbers of the same levels; they are checked in float64.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper, version_converter

from fgcompile.compiler.capture.onnx.comparison import keep
from fgcompile.compiler.capture.onnx.model import OnnxModel
from fgcompile.compiler.ir.fixed_batch import ALONE
from fgcompile.compiler.request import Preprocess, Request
from fgcompile.errors import CaptureWarning

HALVES = (TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
"""Floating-point dtypes that an artifact's outputs do not have."""


def own_prediction(model: object, request: Request, opset: int) -> bytes | None:
    """The graph of a file that computes what is predicted, serialised; None where it does not serve.

    It is as it is in the file but for the opset, and for what takes a photo to its input. Its inputs are in the order
    of the model's, its outputs are what is explained, and then the file's others where these are wanted.

    Args:
        model: A file as it was read: ONNX Runtime is to be the same for a sample whatever its batch, and for any
            batch, and what is predicted is to be the file's.
        request: What the artifact is to be.
        opset: That of the artifact.

    Warns:
        CaptureWarning: The file is quantised and predictions are in floating-point numbers all the same; says why.
    """
    if not isinstance(model, OnnxModel) or not model.quantised or not request.on_demand:
        return None
    found = _reason(request) or _reason_of_file(model, request) or _graph(model, request, opset)
    if isinstance(found, bytes):
        return found
    message = f"predictions are computed in floating-point numbers, not in the integers of {model.path}: {found}"
    warnings.warn(message, CaptureWarning, stacklevel=4)
    return None


def _reason(request: Request) -> str | None:
    """Why an artifact cannot predict by any file's nodes."""
    if request.format != "onnx":
        return 'only an artifact of the format "onnx" can have its nodes'
    if request.biases == "inputs":
        return 'with biases="inputs" they are computed of the biases'
    if request.precision != "float32":
        return f"the network computes in {request.precision}"
    if request.method == "smooth_fullgrad":
        return "smooth_fullgrad computes them beside the noisy copies"
    return None


def _reason_of_file(model: OnnxModel, request: Request) -> str | None:
    """Why this file's nodes do not predict for each sample of any batch."""
    if model.apart:
        return "ONNX Runtime finds one range to quantise to for all samples of a batch"
    if model.alone and request.batch != ALONE:
        return "its nodes are for one sample alone"
    if model.file_batch is not None:
        return f"its nodes are for a batch of {model.file_batch} alone"
    if any(model.batch_axes):
        return "it has the batch on another axis than the first"
    if model.of_bytes:
        return "it takes bytes, which are explained as real numbers"
    if model.fixed:
        return f"{', '.join(map(repr, model.fixed))} of its inputs is fixed"
    if any(fact.dtype.is_floating_point and fact.dtype != torch.float32 for fact in model.inputs):
        return "it takes other floating-point numbers than float32"
    if len(model.explained.in_file) > 1:
        return "no output of several is named"
    if model.output_names[0] != model.explained.in_file[0]:
        return "its logits are shaped anew"
    if not set(model.output_names).isdisjoint(model.input_names):
        return "it returns an input"
    return None


def _graph(model: OnnxModel, request: Request, opset: int) -> bytes | str:
    """The graph, or why there is none."""
    proto = _at_opset(model.path, opset)
    if proto is None:
        return f"ONNX's converter does not bring it to opset {opset}"
    wanted = model.output_names if "model" in request.outputs else model.output_names[:1]
    keep(proto.graph, wanted)
    foreign = sorted({node.op_type for node in proto.graph.node if node.domain})
    if foreign:
        return f"{', '.join(foreign)} are no operators of ONNX's own, which every runtime has"
    if any(map(_has_bodies, proto.graph.node)):
        return "it has graphs within its nodes"
    if any(value.type.tensor_type.elem_type in HALVES for value in proto.graph.output):
        return "it returns other floating-point numbers than float32"
    reason = _keep_read(proto.graph, model.input_names)
    if reason is not None:
        return reason
    if request.preprocess is not None:
        _take_photos(proto.graph, request.preprocess)
    serialised: bytes = proto.graph.SerializeToString()
    return serialised


def _has_bodies(node: onnx.NodeProto) -> bool:
    return any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute)


def _keep_read(graph: onnx.GraphProto, inputs: Sequence[str]) -> str | None:
    """Leaves the constants that are read, and the inputs in an order; or says which inputs it needs besides."""
    read = {name for node in graph.node for name in node.input}
    constants = [tensor for tensor in graph.initializer if tensor.name in read]
    made = {tensor.name for tensor in constants} | {name for node in graph.node for name in node.output}
    if read - made - {""} != set(inputs):
        return "what is predicted does not need the same inputs"
    ordered = {value.name: value for value in graph.input}
    own = [ordered[name] for name in inputs]
    del graph.initializer[:], graph.input[:]
    graph.initializer.extend(constants)
    graph.input.extend(own)
    return None


def _take_photos(graph: onnx.GraphProto, preprocess: Preprocess) -> None:
    """Puts ``(raw / 255 − mean) / std`` in front of the only input, which becomes the raw ``(N, H, W, C)``."""
    name = graph.input[0].name
    mean, std = (np.asarray(each, np.float64).reshape(-1, 1, 1) for each in (preprocess.mean, preprocess.std))
    for suffix, value in (("scale", 1 / (255 * std)), ("shift", -mean / std)):
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float32), f"{name}.{suffix}"))
    graph.input[0].name = f"{name}.raw"
    ordered = f"{name}.raw"
    nodes = []
    if preprocess.order == "bgr":
        graph.initializer.append(numpy_helper.from_array(np.array([2, 1, 0]), f"{name}.order"))
        ordered = f"{name}.ordered"
        nodes = [helper.make_node("Gather", [f"{name}.raw", f"{name}.order"], [ordered], ordered, axis=3)]
    nodes += [
        helper.make_node("Transpose", [ordered], [f"{name}.channels"], f"{name}.channels", perm=[0, 3, 1, 2]),
        helper.make_node("Cast", [f"{name}.channels"], [f"{name}.float"], f"{name}.float", to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.float", f"{name}.scale"], [f"{name}.scaled"], f"{name}.scaled"),
        helper.make_node("Add", [f"{name}.scaled", f"{name}.shift"], [name], name),
        *graph.node,
    ]
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(nodes)


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
