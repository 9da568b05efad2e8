"""Indices of lookups that a file computes, and that may count from the end, count from the beginning.

    Gather(table, i)  →  Gather(table, i < 0 ? i + size : i)     where something is subtracted on the way to i

PyTorch's lookups, which have a rule, take no negative ones. Those that are an input as it was given stay as they are.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.traversal import RecursiveGraphIterator

from fgcompile.compiler.capture.onnx.numbers import numbers_of

COMPUTING = {"Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose", "Slice", "Expand"}
COMPUTING |= {"Add", "Mul", "Where", "Concat", "CumSum", "Min", "Max", "Clip"}
"""Operators that indices are computed by, beside those that subtract."""


def count_from_front(graph: ir.Graph) -> ir.Graph:
    """The graph, rewritten in place."""
    for node in list(RecursiveGraphIterator(graph)):
        if node.op_type != "Gather" or node.domain or not _is_table(node):
            continue
        if _may_be_negative(node.inputs[1]):
            _count(node)
    return graph


def _is_table(node: ir.Node) -> bool:
    table, axis = node.inputs[0], node.attributes.get("axis")
    tensor = None if table is None else ir.convenience.get_const_tensor(table)
    first = axis is None or axis.as_int() == 0
    return tensor is not None and tensor.dtype.is_floating_point() and len(tensor.shape) == 2 and first


def _may_be_negative(value: ir.Value | None) -> bool:
    """Whether something is subtracted, or a negative constant added, on the way to what is computed at run time."""
    seen, waiting = set[ir.Value](), [value]
    subtracted = False
    while waiting:
        one = waiting.pop()
        if one is None or one in seen:
            continue
        seen.add(one)
        node = one.producer()
        if one.const_value is not None:
            numbers = numbers_of(one.const_value)
            subtracted |= numbers.dtype.kind == "i" and bool((numbers < 0).any())
        elif node is not None and node.op_type in ("Sub", "Neg"):
            subtracted = True
        elif node is not None and node.op_type in COMPUTING:
            waiting.extend(node.inputs)
    return subtracted and value is not None and value.const_value is None


def _count(node: ir.Node) -> None:
    table, indices = node.inputs[0], node.inputs[1]
    assert table is not None
    assert indices is not None
    assert table.shape is not None
    name = f"{node.outputs[0].name}/index"
    wide = ir.node("Cast", [indices], {"to": ir.DataType.INT64}, name=f"{name}_wide")
    parts = [
        ir.Value(name=f"{name}_{what}", const_value=ir.tensor(np.array(number, np.int64), name=f"{name}_{what}"))
        for what, number in (("zero", 0), ("size", int(str(table.shape[0]))))
    ]
    below = ir.node("Less", [wide.outputs[0], parts[0]], name=f"{name}_below")
    moved = ir.node("Add", [wide.outputs[0], parts[1]], name=f"{name}_moved")
    chosen = ir.node("Where", [below.outputs[0], moved.outputs[0], wide.outputs[0]], name=f"{name}_chosen")
    new = [wide, below, moved, chosen]
    for each in new:
        each.outputs[0].name = each.name
    assert node.graph is not None
    for constant in parts:
        node.graph.register_initializer(constant)
    node.graph.insert_before(node, new)
    node.replace_input_with(1, chosen.outputs[0])
