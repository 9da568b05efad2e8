"""Removes operators that return their operand: detach, alias, copies, a sum with zero, a view or a cast to what it is.

A copy may have changed the strides that a later view counts on, so views become reshapes.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

aten = torch.ops.aten

ALWAYS = (
    aten.detach.default,
    aten.alias.default,
    aten.clone.default,
    aten.lift_fresh_copy.default,
    aten.contiguous.default,
)
VIEWS = (aten.view.default, aten._unsafe_view.default)
SAME_SHAPE = (aten.reshape.default, aten.expand.default)


def remove_identities(graph_module: fx.GraphModule) -> None:
    """Rewrites the graph in place."""
    graph = graph_module.graph
    for node in list(graph.nodes):
        if node.target in VIEWS:
            node.target = aten.reshape.default
        if node.op == "call_function" and (operand := _identity(node, graph_module)) is not None:
            node.replace_all_uses_with(operand)
            graph.erase_node(node)
    graph_module.recompile()


def _identity(node: fx.Node, graph_module: fx.GraphModule) -> fx.Node | None:
    operand = node.args[0] if node.args else None
    if not isinstance(operand, fx.Node):
        return None
    if node.target in ALWAYS:
        return operand
    value, before = node.meta.get("val"), operand.meta.get("val")
    if not isinstance(value, Tensor) or not isinstance(before, Tensor):
        return None
    same = value.dtype == before.dtype and tuple(map(str, value.shape)) == tuple(map(str, before.shape))
    if not same:
        return None
    if node.target in SAME_SHAPE or node.target is aten._to_copy.default:
        return operand
    if node.target is aten.add.Tensor and _is_zero(node.args[1], graph_module):
        return operand
    if node.target is aten.mul.Tensor and node.args[1] == 1:
        return operand
    return None


def _is_zero(argument: fx.node.Argument, graph_module: fx.GraphModule) -> bool:
    if isinstance(argument, fx.Node) and argument.op == "get_attr":
        constant = getattr(graph_module, str(argument.target))
        return bool(constant.numel() == 1 and constant.item() == 0)
    return isinstance(argument, int | float) and argument == 0
