"""How long a large file takes to be read, and how much memory: layers of random weights, read in a process alone."""

from __future__ import annotations

import resource
import time
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

from benchmarks.harness.records import Figures

WIDTH, LAYERS = 3090, 9
"""About 350 MB of float32."""


def write(path: str) -> Figures:
    """A stack of Gemm and Relu; nothing is measured of it."""
    random = np.random.default_rng(0)
    nodes, weights = [], []
    for layer in range(LAYERS):
        weight = random.standard_normal((WIDTH, WIDTH), np.float32) / np.float32(WIDTH**0.5)
        weights += [
            numpy_helper.from_array(weight, f"w{layer}"),
            numpy_helper.from_array(weight[0].copy(), f"b{layer}"),
        ]
        nodes += [
            helper.make_node("Gemm", [f"x{layer}", f"w{layer}", f"b{layer}"], [f"y{layer}"], f"gemm{layer}"),
            helper.make_node("Relu", [f"y{layer}"], [f"x{layer + 1}"], f"relu{layer}"),
        ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", WIDTH]) for name in ("x0", f"x{LAYERS}")]
    graph = helper.make_graph(nodes, "large", ends[:1], ends[1:], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return {}


def read(path: str) -> Figures:
    """Reads a file and compares it with ONNX Runtime, as compiling begins.

    Returns:
        ``size`` of the file, ``before``, the process's memory with torch and onnxruntime imported, and ``peak``,
        all in bytes; ``seconds`` that reading took.
    """
    import onnxruntime  # noqa: F401 - its memory is no file's

    from fgcompile.compiler.request import Request
    from fgcompile.compiler.sources import open_model

    before = _peak()
    start = time.perf_counter()
    open_model(Path(path), None, Request())
    return {
        "size": Path(path).stat().st_size,
        "before": before,
        "peak": _peak(),
        "seconds": time.perf_counter() - start,
    }


def _peak() -> int:
    """The most memory that this process has had, in bytes; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
