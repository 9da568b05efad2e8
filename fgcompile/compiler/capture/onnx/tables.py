"""Tables of 8 bits that tokens are looked up in become tables of the numbers that they stand for.

    DequantizeLinear(… Gather(table, i) …, s, z)  →  … Gather((table − z) s, i) …

What is between moves elements. A lookup has a gradient where its table has real numbers; of levels it has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.traversal import RecursiveGraphIterator

from fgcompile.compiler.capture.onnx.numbers import numbers_of

MOVING = ("Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Slice")


def dequantised_tables(graph: ir.Graph) -> ir.Graph:
    """The graph, rewritten in place."""
    for node in list(RecursiveGraphIterator(graph)):
        if node.op_type == "DequantizeLinear" and not node.attributes.get("block_size"):
            chain = list(_in_front(node))
            real = _real(chain[-1], node) if chain and chain[-1].op_type == "Gather" else None
            if real is not None:
                _rewrite(node, chain, real)
    return graph


def _in_front(node: ir.Node) -> Iterator[ir.Node]:
    """What moves the levels that a node dequantises and nothing else reads, up to where they are gathered."""
    value = node.inputs[0]
    while value is not None and len(value.uses()) == 1 and not value.is_graph_output():
        producer = value.producer()
        if producer is None or producer.domain or producer.op_type not in (*MOVING, "Gather"):
            return
        yield producer
        value = None if producer.op_type == "Gather" else producer.inputs[0]


def _real(gather: ir.Node, node: ir.Node) -> np.ndarray[Any, Any] | None:
    """The table as real numbers, where it and one scale for all of it are constants of at most 8 bits."""
    table, scale = _numbers(gather.inputs[0]), _numbers(node.inputs[1])
    given = len(node.inputs) > 2 and node.inputs[2] is not None
    zero = _numbers(node.inputs[2]) if given else np.zeros((), np.int32)
    if table is None or scale is None or zero is None or scale.size != 1 or zero.size != 1 or table.dtype.itemsize > 1:
        return None
    levels = table.astype(np.int32) - zero.astype(np.int32).reshape(())
    real: np.ndarray[Any, Any] = (levels * scale.reshape(())).astype(scale.dtype)
    return real


def _numbers(value: ir.Value | None) -> np.ndarray[Any, Any] | None:
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else numbers_of(tensor)


def _rewrite(node: ir.Node, chain: list[ir.Node], real: np.ndarray[Any, Any]) -> None:
    gather = chain[-1]
    assert gather.graph is not None
    for each in chain:  # their results are none of the file's now
        (result,) = each.outputs
        result.name, result.dtype = f"{result.name}/real", ir.DataType.from_numpy(real.dtype)
    name = f"{gather.outputs[0].name}/table"
    table = ir.Value(name=name, const_value=ir.tensor(real, name=name))
    gather.graph.register_initializer(table)
    gather.replace_input_with(0, table)
    node.op_type = "Identity"
    node.resize_inputs(1)
    node.attributes.clear()
