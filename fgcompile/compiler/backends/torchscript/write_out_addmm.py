"""TorchScript: a product and a sum in one call become two, or a linear layer.

    addmm(b, x, W)              →  linear(x, Wᵀ, b)     for a constant W
    addmm(b, x, W, β, α)        →  β b + α mm(x, W)     otherwise

Where ``b`` and ``W`` are constants, TorchScript takes their shapes for that of the result, and then refuses a product
of two such results (PyTorch 2.11 and 2.13).
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


@as_pass()
def write_out_addmm(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was such a call."""
    found = graph_module.graph.find_nodes(op="call_function", target=aten.addmm.default)
    for node in found:
        _replace(graph_module, node)
    return bool(found)


def _replace(graph_module: fx.GraphModule, node: fx.Node) -> None:
    bias, x, weight = node.args
    beta, alpha = (node.kwargs.get(factor, 1) for factor in ("beta", "alpha"))
    assert isinstance(weight, fx.Node)
    graph = graph_module.graph
    with graph.inserting_before(node):
        if weight.op == "get_attr" and beta == alpha == 1:
            name = f"{weight.target}_transposed"
            graph_module.register_buffer(name, getattr(graph_module, str(weight.target)).t())
            result = graph.call_function(aten.linear.default, (x, graph.get_attr(name), bias))
        else:
            scaled = bias if beta == 1 else graph.call_function(aten.mul.Scalar, (bias, beta))
            product = graph.call_function(aten.mm.default, (x, weight))
            result = graph.call_function(aten.add.Tensor, (scaled, product), {"alpha": alpha})
    node.replace_all_uses_with(result)
    graph.erase_node(node)
