"""In-place operators that autograd calls become functional ones, before equal subexpressions are shared.

    masked_fill_(x, m, v)  →  masked_fill(x, m, v)

Two gradients of ``maximum`` begin as one expression and are then masked in place, each by its own mask. The traced
graph already reads the result, not the operand, wherever the mutated tensor is used later.
"""

from __future__ import annotations

import torch
from torch import fx

aten = torch.ops.aten

FUNCTIONAL = {
    aten.masked_fill_.Scalar: aten.masked_fill.Scalar,
    aten.masked_fill_.Tensor: aten.masked_fill.Tensor,
    aten.logical_or_.default: aten.logical_or.default,
    aten.logical_not_.default: aten.logical_not.default,
    aten.logical_and_.default: aten.logical_and.default,
    aten.mul_.Tensor: aten.mul.Tensor,
    aten.add_.Tensor: aten.add.Tensor,
}


def replace_mutations(graph_module: fx.GraphModule) -> None:
    """Rewrites the graph in place."""
    for node in graph_module.graph.nodes:
        if node.op == "call_function":
            node.target = FUNCTIONAL.get(node.target, node.target)
    graph_module.recompile()
