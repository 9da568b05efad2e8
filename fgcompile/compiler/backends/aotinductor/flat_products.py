"""A product of many rows with one matrix as a single product of two matrices.

    matmul(x, W)  →  view(mm(view(clone(x), [−1, K]), W), […, J])

Of an ``x`` that does not lie in order, as a transposed one, Inductor makes one product for each row, 197 for each layer
of a ViT (``docs/decisions/flat-products.md``). One that does lie in order is viewed as it is.
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.backends.aotinductor.rows import insert_rows, view_sizes
from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


@as_pass()
def flat_products(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was such a product. Every node's ``meta["val"]`` is kept up."""
    changed = False
    for node in graph_module.graph.find_nodes(op="call_function", target=aten.matmul.default):
        x, matrix = node.args
        assert isinstance(x, fx.Node)
        assert isinstance(matrix, fx.Node)
        shape = node.meta["val"].shape
        sizes = view_sizes(shape)
        if matrix.meta["val"].dim() != 2 or len(sizes) < 3 or sizes.count(-1) > 1:
            continue
        flat = insert_rows(node, node, x, int(matrix.meta["val"].shape[0]))
        product = insert_call(node, node, aten.mm.default, flat, matrix)
        node.target, node.args = aten.view.default, (product, sizes)
        changed = True
    return changed
