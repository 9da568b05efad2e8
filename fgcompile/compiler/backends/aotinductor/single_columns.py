"""A product with one column as a sum over what each row makes with it.

    mm(x, w (K, 1))  →  sum(x · wᵀ, 1)

A product wants its left operand stored, a sum is computed along with it: of ψ's sums over channels that lie last,
``|δ| |b|``, no magnitude is written any more (``docs/decisions/rows-of-features.md``).
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


@as_pass()
def single_columns(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was such a product. Every node's ``meta["val"]`` is kept up."""
    changed = False
    for node in graph_module.graph.find_nodes(op="call_function", target=aten.mm.default):
        x, column = node.args
        assert isinstance(column, fx.Node)
        if column.meta["val"].shape[1] != 1:
            continue
        row = insert_call(node, node, aten.view.default, column, [1, -1])
        product = insert_call(node, node, aten.mul.Tensor, x, row)
        node.target, node.args = aten.sum.dim_IntList, (product, [1], True)
        changed = True
    return changed
