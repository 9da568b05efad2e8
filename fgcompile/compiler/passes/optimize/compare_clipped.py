"""A comparison of what was clipped with a bound is made on the clipped value: the graph keeps one tensor, not two.

x > l  →  clip(x, l, h) > l        x < h  →  clip(x, l, h) < h

Exact, ties included. A runtime then fuses the clipping into the layer before it, since nobody else reads ``x``: in ONNX
Runtime a pass over the tensor less and one change of layout less for each ReLU6.
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


@as_pass()
def compare_clipped(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was such a comparison.

    A comparison that stands before the clipping stays: it cannot read what is not computed yet.
    """
    graph, changed = graph_module.graph, False
    clipped = {node.args[0]: node for node in graph.find_nodes(op="call_function", target=aten.hardtanh.default)}
    order = {node: index for index, node in enumerate(graph.nodes)}
    for target, position in ((aten.gt.Scalar, 0), (aten.lt.Scalar, 1)):
        for node in graph.find_nodes(op="call_function", target=target):
            result = clipped.get(node.args[0])
            if result is not None and order[result] < order[node] and _bounds(result)[position] == node.args[1]:
                node.args = (result, node.args[1])
                changed = True
    return changed


def _bounds(node: fx.Node) -> tuple[fx.node.Argument, fx.node.Argument]:
    """The bounds of a ``hardtanh``, by default −1 and 1."""
    low = node.args[1] if len(node.args) > 1 else -1.0
    high = node.args[2] if len(node.args) > 2 else 1.0
    return low, high
