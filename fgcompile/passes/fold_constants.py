"""Evaluates every node that depends on no input of the program, once and for all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx
from torch.utils import _pytree as pytree

from fgcompile.layers import is_random


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
            name = f"folded_{node.name}"
            graph_module.register_buffer(name, value.contiguous())
            with graph.inserting_before(node):
                attribute = graph.get_attr(name)
            attribute.meta = node.meta
            node.replace_all_uses_with(attribute, delete_user_cb=lambda user: user not in values)
    graph.eliminate_dead_code()
    _drop_unused(graph_module)
    graph_module.recompile()


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
