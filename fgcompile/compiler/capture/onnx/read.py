"""An ``.onnx`` file as a module. Nothing of the file is run, and no weight is read from outside its folder."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, RemoveUnusedNodesPass

from fgcompile.compiler.capture.onnx.module import OnnxModule, title
from fgcompile.compiler.capture.onnx.node import Constant
from fgcompile.compiler.capture.onnx.operators import OPERATORS
from fgcompile.compiler.capture.onnx.upgrade import upgraded
from fgcompile.errors import SourceError, UnsupportedOpError, first_line


def read_onnx(path: Path) -> OnnxModule:
    """The model of a file.

    Raises:
        SourceError: It is no ONNX file, or not one that can be read.
        UnsupportedOpError: It has operators that are no row of the table; names all of them.
    """
    model = _load(path)
    InlinePass()(model)
    model = upgraded(model, path)
    RemoveUnusedNodesPass()(model)
    _require_rows(model.graph, path)
    constants = {
        name: Constant(value.const_value.numpy())
        for name, value in model.graph.initializers.items()
        if value.const_value is not None
    }
    return OnnxModule(model.graph, constants)


def _load(path: Path) -> ir.Model:
    try:
        return ir.load(path)
    except Exception as error:  # protobuf's errors are of several kinds
        raise SourceError(f"{path} cannot be read as an ONNX model: {first_line(error)}") from error


def _require_rows(graph: ir.Graph, path: Path) -> None:
    unknown: dict[str, list[str]] = {}
    for node in graph:
        if (node.domain, node.op_type) not in OPERATORS:
            kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            unknown.setdefault(kind, []).append(title(node))
    if unknown:
        raise UnsupportedOpError(
            f"{path} has operators that fgcompile does not read: "
            + "; ".join(f"{kind} ({', '.join(titles[:3])})" for kind, titles in unknown.items())
        )
