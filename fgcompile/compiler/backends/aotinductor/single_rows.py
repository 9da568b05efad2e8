"""A product of one row, read as a vector, by its row: of one that is reshaped Inductor asks for the sizes ahead of it.

    view(mm(x (1, K), W), [J])  →  select(mm(x, W), 0, 0)

``mkldnn_fusion`` (PyTorch 2.11 to 2.13) multiplies the sizes in front of the last, of which a vector has none, and ends
in a TypeError. Models that compute a sample without its batch have such products.
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import RESHAPES
from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten

PRODUCTS = (aten.mm.default, aten.addmm.default)


@as_pass()
def single_rows(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was such a product. Every node's ``meta["val"]`` is kept up."""
    changed = False
    for node in graph_module.graph.nodes:
        product = node.args[0] if node.target in RESHAPES else None
        if not isinstance(product, fx.Node) or product.target not in PRODUCTS or node.meta["val"].dim() != 1:
            continue
        if product.meta["val"].shape[0] == 1:
            node.target, node.args = aten.select.int, (product, 0, 0)
            changed = True
    return changed
