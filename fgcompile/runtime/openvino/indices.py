"""Indices that are computed are held to what they index in OpenVINO, which reads whatever lies beyond it.

``p[i]``, which fails in other runtimes at an index that is out of range, becomes ``p[clip(i)]`` beside an output that
says whether all was in range.
"""

from __future__ import annotations

from openvino import Model, Node, Output, Type  # type: ignore[import-untyped]  # ships no marker of its types
from openvino import opset13 as ops

IN_RANGE = "fgcompile.in_range"
"""What the output is called."""


def hold_indices(model: Model) -> bool:
    """Holds the indices of every read, and says by one more output of a model whether they were in range.

    Returns:
        Whether there is any.
    """
    found = [(node, _size_of_axis(node)) for node in model.get_ordered_ops()]
    flags = [_held(node, size) for node, size in found if size is not None]
    if not flags:
        return False
    together = flags[0]
    for flag in flags[1:]:
        together = ops.logical_and(together, flag)
    together.output(0).get_tensor().set_names({IN_RANGE})
    model.add_results([ops.result(together)])
    return True


def _size_of_axis(node: Node) -> Output | None:
    """How long the axis is that a node reads at computed indices, as int64; None where it reads nothing so."""
    kind = node.get_type_name()
    if kind not in ("Gather", "GatherND") or _is_constant(node.input_value(1)):
        return None
    table = node.input_value(0)
    if kind == "GatherND":
        # A table of places: an index of it is one number.
        rank = table.get_partial_shape().rank
        return ops.shape_of(table).output(0) if rank.is_static and rank.get_length() == 1 else None
    if not _is_constant(node.input_value(2)):
        return None
    axis = int(node.input_value(2).get_node().data.reshape(-1)[0])
    return ops.gather(ops.shape_of(table), ops.constant([axis], Type.i64), ops.constant(0, Type.i64)).output(0)


def _is_constant(value: Output) -> bool:
    return bool(value.get_node().get_type_name() == "Constant")


def _held(node: Node, size: Output) -> Node:
    """Clips the indices of a node; whether they had to be is its value: a truth."""
    indices = node.input_value(1)
    kind = indices.get_element_type()
    size = ops.convert(size, kind.to_string())
    zero, one = (ops.constant(number, kind) for number in (0, 1))
    place = ops.select(ops.less(indices, zero), ops.add(indices, size), indices)
    inside = ops.logical_and(ops.greater_equal(place, zero), ops.less(place, size))
    node.input(1).replace_source_output(ops.minimum(ops.maximum(place, zero), ops.subtract(size, one)).output(0))
    flat = ops.reshape(inside, ops.constant([-1], Type.i64), False)
    return ops.reduce_logical_and(flat, ops.constant([0], Type.i64), False)
