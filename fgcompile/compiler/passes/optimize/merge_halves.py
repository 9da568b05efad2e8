"""Two halves of one value are the value: what an even split of a product leaves of its forward computation.

½ p + ½ p  →  p
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


@as_pass(requires=("share_subexpressions",))
def merge_halves(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there were two halves, which are one node once they are shared."""
    graph, changed = graph_module.graph, False
    for node in list(graph.find_nodes(op="call_function", target=aten.add.Tensor)):
        half, other = node.args[:2]
        if half is other and isinstance(half, fx.Node) and not node.kwargs and _is_half(half):
            node.replace_all_uses_with(half.args[0])
            graph.erase_node(node)
            changed = True
    return changed


def _is_half(node: fx.Node) -> bool:
    return node.target is aten.mul.Tensor and isinstance(node.args[1], float) and node.args[1] == 0.5
