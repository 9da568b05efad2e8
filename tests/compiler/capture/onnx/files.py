"""Small ONNX files, and what ONNX Runtime makes of them: the oracle of every test of this folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from fgcompile.compiler.capture.onnx.read import read_onnx

Array = np.ndarray[Any, Any]
DTYPES = {
    "float32": TensorProto.FLOAT,
    "int64": TensorProto.INT64,
    "int32": TensorProto.INT32,
    "bool": TensorProto.BOOL,
}
DTYPES |= {"float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16, "uint8": TensorProto.UINT8}


def node(operator: str, inputs: str, outputs: str, domain: str = "", **attributes: Any) -> onnx.NodeProto:
    """A node whose inputs and outputs are named in words; ``_`` is one that is left out."""
    takes, returns = (["" if name == "_" else name for name in each.split()] for each in (inputs, outputs))
    return helper.make_node(operator, takes, returns, f"{operator}_{returns[0]}", domain=domain, **attributes)


def graph(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[str, Sequence[Any] | None]],
    outputs: Sequence[str],
    constants: Mapping[str, Any] | None = None,
) -> onnx.GraphProto:
    """A graph; its inputs are of a dtype and shape, its outputs of types that nobody says."""
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    takes = [helper.make_tensor_value_info(name, DTYPES[dtype], shape) for name, (dtype, shape) in inputs.items()]
    returns = [onnx.ValueInfoProto(name=name) for name in outputs]
    return helper.make_graph(list(nodes), "g", takes, returns, tensors)


def model(of: onnx.GraphProto, opset: int = 21, ir_version: int = 10) -> onnx.ModelProto:
    """A model of an opset, with the operators of ONNX Runtime's own beside it."""
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(of, opset_imports=imports, ir_version=ir_version)


def assert_same(proto: onnx.ModelProto, feeds: Mapping[str, Any], folder: Path, tolerance: float = 1e-5) -> None:
    """Compares dtypes, shapes and values of the module of a file with ONNX Runtime's, which runs the file itself."""
    path = folder / "model.onnx"
    onnx.save(proto, path)
    arrays = {name: np.asarray(array) for name, array in feeds.items()}
    expected = onnx_runtime(path).run(None, arrays)
    module = read_onnx(path, logits=False)
    assert set(module.input_names) == set(arrays)
    with torch.no_grad():
        outputs = module(*(torch.from_numpy(arrays[name]) for name in module.input_names))
    outputs = tuple(outputs.values()) if isinstance(outputs, dict) else (outputs,)
    for actual, wanted in zip(outputs, map(torch.from_numpy, expected), strict=True):
        torch.testing.assert_close(actual, wanted, rtol=tolerance, atol=tolerance)


def onnx_runtime(path: Path, optimised: Path | None = None) -> onnxruntime.InferenceSession:
    """A session on the CPU, which writes what its optimiser makes of the file if wanted."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    # Products of 8 bits are exact, where the processor's own instructions for them would clip sums.
    options.add_session_config_entry("session.x64quantprecision", "1")
    if optimised is not None:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimised)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def random(*shape: int, seed: int = 0) -> Array:
    """Numbers of the standard normal distribution, float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
