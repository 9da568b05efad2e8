"""Removes operators that return their operand: detach, alias, copies, a sum with zeros, a product with ones, a view or
a cast to what it is.

A copy may have changed the strides that a later view counts on, so views become reshapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import VIEWS, propagate_shapes
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.torch_internals import is_contiguous_or_false

aten = torch.ops.aten

ALWAYS = (
    aten.detach.default,
    aten.alias.default,
    aten.clone.default,
    aten.lift_fresh_copy.default,
    aten.contiguous.default,
)
NEED_CONTIGUOUS = (aten.native_group_norm.default,)
"""Operators that refuse what is not contiguous, so that a copy in front of them stays."""

SAME_SHAPE = (aten.reshape.default, aten.expand.default)

NEUTRAL: Mapping[Any, int] = {aten.add.Tensor: 0, aten.mul.Tensor: 1}
"""The number that each operator leaves the other operand at."""

COPIES = (aten.expand.default, aten.clone.default, aten.unsqueeze.default)
FILLED = {0: (aten.zeros_like.default, aten.zeros.default), 1: (aten.ones_like.default, aten.ones.default)}
"""Operators whose result is one number throughout: the one that autograd begins with, and that sums begin with."""


@as_pass(requires=("replace_mutations",))
def remove_identities(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was an identity or a view. A copy to be changed in place is none."""
    graph, changed = graph_module.graph, False
    for node in list(graph.nodes):
        if node.target in VIEWS:
            node.target = aten.reshape.default
            changed = True
        if node.op == "call_function" and (operand := _identity(node, graph_module)) is not None:
            node.replace_all_uses_with(operand)
            graph.erase_node(node)
            changed = True
    if changed:
        _keep_contiguous(graph_module)
    return changed


def _keep_contiguous(graph_module: fx.GraphModule) -> None:
    """Copies what is not contiguous any more where an operator refuses that: strides went with a copy or a product."""
    graph = graph_module.graph
    users = [node for node in graph.nodes if node.target in NEED_CONTIGUOUS]
    if not users:
        return
    propagate_shapes(graph_module)
    lost = [node for node in users if not is_contiguous_or_false(node.all_input_nodes[0].meta["val"])]
    for node in lost:
        operand = node.all_input_nodes[0]
        with graph.inserting_before(node):
            copy = graph.call_function(aten.clone.default, (operand,), {"memory_format": torch.contiguous_format})
        copy.meta = {**operand.meta}
        node.replace_input_with(operand, copy)
    if lost:
        propagate_shapes(graph_module)


def _identity(node: fx.Node, graph_module: fx.GraphModule) -> fx.Node | None:
    """The operand that a node returns as it is, None where it does not.

    Some operators always do, but for the one copy that a later operator needs. Those that change shape or dtype do
    where the result has the operand's. Of sums and products either operand may be the neutral one, and the other is
    the result only where it has the result's shape: ``ones(4, 3) * x`` broadcasts an ``x`` of shape (1, 3).
    """
    operand = node.args[0] if node.args else None
    if node.target in ALWAYS:
        needed = node.target is aten.clone.default and any(user.target in NEED_CONTIGUOUS for user in node.users)
        return operand if isinstance(operand, fx.Node) and not needed else None
    if node.target in SAME_SHAPE or node.target is aten._to_copy.default:
        return _as_result(operand, node)
    neutral = NEUTRAL.get(node.target) if not node.kwargs else None
    if neutral is None:
        return None
    for one, other in ((node.args[0], node.args[1]), (node.args[1], node.args[0])):
        if _is_constant(other, neutral, graph_module) and (kept := _as_result(one, node)) is not None:
            return kept
    return None


def _as_result(operand: fx.node.Argument, node: fx.Node) -> fx.Node | None:
    """The operand, if it is a tensor of the node's own shape and dtype."""
    if not isinstance(operand, fx.Node):
        return None
    value, before = node.meta.get("val"), operand.meta.get("val")
    if not isinstance(value, Tensor) or not isinstance(before, Tensor):
        return None
    same = value.dtype == before.dtype and tuple(map(str, value.shape)) == tuple(map(str, before.shape))
    return operand if same else None


def _is_constant(argument: fx.node.Argument, number: int, graph_module: fx.GraphModule) -> bool:
    """Whether every element of an argument is a number, as far as the graph says so."""
    while isinstance(argument, fx.Node) and argument.target in COPIES:
        argument = argument.args[0]
    if isinstance(argument, fx.Node):
        if argument.op == "get_attr":
            constant = getattr(graph_module, str(argument.target))
            return bool(constant.numel() == 1 and constant.item() == number)
        return argument.target in FILLED[number]
    return isinstance(argument, int | float) and argument == number
