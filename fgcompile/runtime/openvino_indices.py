"""Indices that a model computes are held to their tables in OpenVINO, which reads whatever lies beyond them.

``p[i]``, a table of places that fails in other runtimes at an index that it has not, becomes ``p[clip(i)]`` beside an
output that says whether all was in range.
"""

from __future__ import annotations

from openvino import Model, Node, Type  # type: ignore[import-untyped]  # ships no marker of its types
from openvino import opset13 as ops

IN_RANGE = "fgcompile.in_range"
"""What the output is called."""


def hold_indices(model: Model) -> bool:
    """Holds the indices of every table of places, and says by one more output of a model whether they were in range.

    Returns:
        Whether there is any.
    """
    flags = [_held(node) for node in model.get_ordered_ops() if _reads_places(node)]
    if not flags:
        return False
    together = flags[0]
    for flag in flags[1:]:
        together = ops.logical_and(together, flag)
    together.output(0).get_tensor().set_names({IN_RANGE})
    model.add_results([ops.result(together)])
    return True


def _reads_places(node: Node) -> bool:
    """Whether a node reads a table of integers of one axis."""
    if node.get_type_name() != "GatherND":
        return False
    table = node.input_value(0)
    rank = table.get_partial_shape().rank
    return rank.is_static and rank.get_length() == 1 and table.get_element_type() in (Type.i64, Type.i32)


def _held(node: Node) -> Node:
    """Clips the indices of a node; whether they had to be is its value: a truth."""
    indices = node.input_value(1)
    kind = indices.get_element_type()
    size = ops.convert(ops.shape_of(node.input_value(0)), kind.to_string())
    zero, one = (ops.constant(number, kind) for number in (0, 1))
    place = ops.select(ops.less(indices, zero), ops.add(indices, size), indices)
    inside = ops.logical_and(ops.greater_equal(place, zero), ops.less(place, size))
    node.input(1).replace_source_output(ops.minimum(ops.maximum(place, zero), ops.subtract(size, one)).output(0))
    flat = ops.reshape(inside, ops.constant([-1], Type.i64), False)
    return ops.reduce_logical_and(flat, ops.constant([0], Type.i64), False)
