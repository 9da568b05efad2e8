"""Lays out the weights of convolutions for oneDNN when compiling, also where the batch is dynamic.

Inductor does so for graphs of fixed sizes only; of others every call would lay out every weight anew. What oneDNN wants
hardly depends on the batch: ``docs/decisions/packed-weights.md``.
"""

from __future__ import annotations

import torch
from torch import fx
from torch.utils._python_dispatch import _disable_current_modes

from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import hint

BATCH = 1
"""The batch for which weights are laid out: the one at which the time to do so weighs most."""


@as_pass()
def pack_weights(graph_module: fx.GraphModule) -> bool:
    """Rewrites a graph of Inductor's, whose weights are constants, in place; whether one was packed."""
    graph, changed = graph_module.graph, False
    operator = torch.ops.mkldnn._convolution_pointwise.default
    for number, node in enumerate(graph.find_nodes(op="call_function", target=operator)):
        x, weight, bias, padding, stride, dilation, groups, *rest = node.args
        if weight.op != "get_attr" or (plain := getattr(graph_module, weight.target)).is_mkldnn:
            continue
        sizes = [BATCH, *(hint(size) for size in x.meta["val"].shape[1:])]
        with _disable_current_modes():
            packed = torch.ops.mkldnn._reorder_convolution_weight(plain, padding, stride, dilation, groups, sizes)
        name = f"_packed_weight_{number}"
        graph_module.register_buffer(name, packed)
        with graph.inserting_before(node):
            constant = graph.get_attr(name)
        constant.meta["val"] = weight.meta["val"]
        node.args = (x, constant, bias, padding, stride, dilation, groups, *rest)
        changed = True
    return changed
