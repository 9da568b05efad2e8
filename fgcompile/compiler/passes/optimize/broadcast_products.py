"""A batched product with a constant matrix broadcasts it instead of copying it to every sample.

bmm(expand(A), B)  →  matmul(A, B)        bmm(A, expand(B))  →  matmul(A, B)

Of one operand alone: where both are expanded, the other is what has the batch.
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


@as_pass()
def broadcast_products(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was such a product."""
    changed = False
    for node in graph_module.graph.find_nodes(op="call_function", target=aten.bmm.default):
        first, second = node.args
        matrix = _unexpanded(first)
        operands = (matrix, second) if matrix is not first else (first, _unexpanded(second))
        if operands != node.args:
            node.target = aten.matmul.default
            node.args = operands
            changed = True
    return changed


def _unexpanded(operand: fx.node.Argument) -> fx.node.Argument:
    """The matrix behind an expansion to the batch, if the operand is one."""
    if not isinstance(operand, fx.Node) or operand.target is not aten.expand.default:
        return operand
    matrix = operand.args[0]
    assert isinstance(matrix, fx.Node)
    before, after = matrix.meta["val"].shape, operand.meta["val"].shape
    return matrix if tuple(before[-2:]) == tuple(after[-2:]) and len(before) <= 3 else operand
