"""Indices of 32 bits, which PyTorch takes, become ones of 64: ONNX's exporter writes a GatherND that has no others.

y[:, i]   →   y[:, i.to(int64)]
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.runner import tidy

aten = torch.ops.aten

INDEXED = (aten.index.Tensor, aten.index_put.default)


def widen_indices(graph_module: fx.GraphModule) -> None:
    """Rewrites a graph in place."""
    changed = False
    for operator in INDEXED:
        for node in graph_module.graph.find_nodes(op="call_function", target=operator):
            indices = [_widened(node, index) for index in node.args[1]]
            if any(new is not old for new, old in zip(indices, node.args[1], strict=True)):
                node.update_arg(1, indices)
                changed = True
    if changed:
        tidy(graph_module)


def _widened(node: fx.Node, index: object) -> object:
    value = index.meta["val"] if isinstance(index, fx.Node) else None
    if not isinstance(value, Tensor) or value.dtype != torch.int32:
        return index
    return insert_call(node, node, aten._to_copy.default, index, dtype=torch.int64)
