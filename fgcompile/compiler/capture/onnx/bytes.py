"""Pictures that a file takes as bytes and makes real numbers of itself are real numbers: so they have a gradient.

x (uint8)  →  Transpose, Reshape, …  →  Cast to floats          becomes          x (float32)  →  the same
"""

from __future__ import annotations

from collections.abc import Iterable

import onnx_ir as ir

from fgcompile.compiler.capture.onnx.tables import MOVING


def real_bytes(inputs: Iterable[ir.Value]) -> set[str]:
    """Makes inputs of uint8 real where nothing but a cast to real numbers reads them; their names."""
    found = {value for value in inputs if value.dtype == ir.DataType.UINT8 and _becomes_real(value)}
    for value in found:
        value.dtype = ir.DataType.FLOAT
    return {str(value.name) for value in found}


def _becomes_real(value: ir.Value) -> bool:
    """Whether all that reads a value casts it to real numbers, behind what moves its elements or asks its shape."""
    return bool(value.uses()) and not value.is_graph_output() and all(_is_cast(node) for node, _ in value.uses())


def _is_cast(node: ir.Node) -> bool:
    if node.op_type == "Cast":
        return ir.DataType(node.attributes["to"].as_int()).is_floating_point()
    return node.op_type == "Shape" or (node.op_type in MOVING and all(map(_becomes_real, node.outputs)))
