"""An ``.onnx`` file as a module. Nothing of the file is run, and no weight is read from outside its folder."""

from __future__ import annotations

from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass, RemoveUnusedNodesPass

from fgcompile.compiler.capture.onnx.graph import Missing
from fgcompile.compiler.capture.onnx.module import OnnxModule
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
    missing: Missing = {}
    module = OnnxModule(model.graph, {}, missing)
    if missing:
        raise UnsupportedOpError(
            f"{path} has operators that fgcompile does not read: "
            + "; ".join(f"{kind} ({', '.join(titles[:3])})" for kind, titles in missing.items())
        )
    return module


def _load(path: Path) -> ir.Model:
    try:
        return ir.load(path)
    except Exception as error:  # protobuf's errors are of several kinds
        raise SourceError(f"{path} cannot be read as an ONNX model: {first_line(error)}") from error
