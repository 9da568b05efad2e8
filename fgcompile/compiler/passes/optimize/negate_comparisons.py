"""Of two comparisons that exclude each other, the second is the negation of the first: it reads Booleans, not floats.

x < h, x ≥ h  →  c = x < h, ¬c        x > l, x ≤ l  →  c = x > l, ¬c

Exact but for NaN, of which neither holds. Derivative and bias of an activation between bounds compare with the same
bound: ``docs/decisions/relu6.md``.
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten

EXCLUSIVE = ((aten.lt.Scalar, aten.ge.Scalar), (aten.gt.Scalar, aten.le.Scalar))


@as_pass(requires=("share_subexpressions",))
def negate_comparisons(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there were two that exclude each other, each of them shared before."""
    changed = False
    opposite = {a: b for pair in EXCLUSIVE for a, b in (pair, pair[::-1])}
    seen: dict[tuple[object, tuple[fx.node.Argument, ...]], fx.Node] = {}
    for node in graph_module.graph.nodes:
        if node.target not in opposite:
            continue
        first = seen.get((opposite[node.target], node.args))
        if first is None:
            seen[node.target, node.args] = node
        else:
            node.target, node.args = aten.logical_not.default, (first,)
            changed = True
    return changed
