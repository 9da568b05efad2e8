"""Evaluates every node that depends on no input of the program, once and for all.

A constant is stored without the copies that an expansion makes of it, and expanded where it is used: a weight that is
broadcast to every token would otherwise be stored once a token.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from fgcompile.layers import is_random

aten = torch.ops.aten


def fold_constants(graph_module: fx.GraphModule) -> None:
    """Rewrites the graph in place: a constant tensor that something else uses becomes an attribute."""
    graph = graph_module.graph
    values: dict[fx.Node, Any] = {}
    for node in list(graph.nodes):
        if node.op == "get_attr":
            values[node] = getattr(graph_module, str(node.target))
        elif node.op == "call_function" and _is_constant(node, values):
            args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: values[n])
            assert callable(node.target)
            with torch.no_grad():
                values[node] = node.target(*args, **kwargs)
    for node, value in values.items():
        needed = any(user not in values for user in node.users)
        if node.op == "call_function" and needed and isinstance(value, Tensor):
            with graph.inserting_before(node):
                folded = _stored(graph_module, f"folded_{node.name}", value, node.meta)
            node.replace_all_uses_with(folded, delete_user_cb=lambda user: user not in values)
    graph.eliminate_dead_code()
    _drop_unused(graph_module)
    graph_module.recompile()


def _stored(graph_module: fx.GraphModule, name: str, value: Tensor, meta: dict[str, Any]) -> fx.Node:
    """The node of a new attribute, expanded to the value's shape where the value repeats itself along an axis."""
    compact = _without_copies(value)
    graph_module.register_buffer(name, compact.contiguous())
    attribute = graph_module.graph.get_attr(name)
    if compact.shape == value.shape:
        attribute.meta = meta
        return attribute
    attribute.meta = {"val": meta["val"].new_empty(compact.shape)}
    expanded = graph_module.graph.call_function(aten.expand.default, (attribute, list(value.shape)))
    expanded.meta = meta
    return expanded


def _without_copies(value: Tensor) -> Tensor:
    """One position of each axis along which an expansion repeats; leading axes are dropped, since expansion adds them.

    A stride of 0 is how PyTorch says that an axis repeats.
    """
    for axis, stride in enumerate(value.stride()):
        if stride == 0:
            value = value.narrow(axis, 0, 1)
    while value.ndim > 0 and value.shape[0] == 1 and value.stride(0) == 0:
        value = value[0]
    return value


def _is_constant(node: fx.Node, values: dict[fx.Node, Any]) -> bool:
    if is_random(node) or any(source not in values for source in node.all_input_nodes):
        return False
    # A symbolic size in the result would mean that the node depends on the batch after all.
    sizes = [leaf for leaf in pytree.tree_leaves(node.meta.get("val")) if isinstance(leaf, Tensor)]
    return all(isinstance(size, int) for leaf in sizes for size in leaf.shape)


def _drop_unused(graph_module: fx.GraphModule) -> None:
    used = {str(node.target) for node in graph_module.graph.nodes if node.op == "get_attr"}
    for name, _ in list(graph_module.named_buffers(recurse=False, remove_duplicate=False)):
        if name not in used:
            delattr(graph_module, name)
