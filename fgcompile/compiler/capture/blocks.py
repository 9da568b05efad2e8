"""Blocks that ``torch.export`` leaves as graphs of their own are put in line.

    with torch.no_grad(): y = g(x)  →  y = g(x).detach()
    torch.cond(c, f, g, operands)   →  f(*operands) or g(*operands), for c computed from parameters and buffers alone

A condition is one value for the whole batch, so one that is computed from an input makes samples depend on each other.
PyTorch's decompositions would put blocks in line too, but drop the detachment, and the names of the layers inside.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from fgcompile.compiler.ir.graphs import ancestors
from fgcompile.compiler.ir.nodes import free_name, is_differentiable, layer_name
from fgcompile.errors import CaptureError

aten = torch.ops.aten
CONDITION: Any = torch.ops.higher_order.cond
"""The call that ``torch.export`` makes of ``torch.cond``: ``(condition, true_branch, false_branch, operands)``."""
GRADIENT_MODE: Any = torch.ops.higher_order.wrap_with_set_grad_enabled
"""The call that it makes of a block under ``torch.no_grad``: ``(enabled, block, *operands)``."""


def inline_blocks(graph_module: fx.GraphModule, exported: ExportedProgram) -> None:
    """Puts every block in line, in place; of a ``torch.cond`` the branch that it takes.

    Raises:
        CaptureError: The condition depends on an input; names the layer.
    """
    graph = graph_module.graph
    # One at a time, since a block may hold others.
    while node := next((node for node in graph.nodes if node.target in (CONDITION, GRADIENT_MODE)), None):
        detached = False
        if node.target is CONDITION:
            condition, *blocks, operands = node.args
            block = blocks[0] if _decide(graph_module, exported, node, condition) else blocks[1]
        else:
            enabled, block, *operands = node.args
            blocks, detached = [block], not enabled
        _inline(graph_module, node, graph_module.get_submodule(block.target), operands, detached)
        for block in blocks:
            if not block.users:
                graph.erase_node(block)


def _decide(graph_module: fx.GraphModule, exported: ExportedProgram, node: fx.Node, condition: Any) -> bool:
    """The value of a condition that is computed from constants."""
    specs = {spec.arg.name: spec for spec in exported.graph_signature.input_specs}
    behind = ancestors([condition]) if isinstance(condition, fx.Node) else set()
    values: dict[fx.Node, Any] = {}
    for source in graph_module.graph.nodes:
        if source not in behind:
            continue
        if source.op == "get_attr":
            values[source] = getattr(graph_module, source.target)
        elif source.op != "placeholder":
            args, kwargs = fx.map_arg((source.args, source.kwargs), values.__getitem__)
            values[source] = source.target(*args, **kwargs)
        elif specs[source.name].kind == InputKind.USER_INPUT:
            raise CaptureError(
                f"torch.cond in '{layer_name(node)}' decides by the input, for all samples of a batch at once, so a "
                "sample's explanation would depend on its neighbours: choose for each sample by torch.where"
            )
        else:
            held: Any = exported.state_dict | exported.constants
            values[source] = held[specs[source.name].target].clone()  # a model may write it before it decides
    return bool(values[condition]) if isinstance(condition, fx.Node) else bool(condition)


def _inline(graph_module: fx.GraphModule, node: fx.Node, block: Any, operands: Any, detached: bool) -> None:
    """Puts the nodes of a block in front of its call, in their own layers, and their results in its place."""
    values = dict(zip(block.graph.find_nodes(op="placeholder"), operands, strict=True))
    graph = graph_module.graph
    with graph.inserting_before(node):
        for inner in block.graph.nodes:
            if inner.op in ("placeholder", "output"):
                continue
            if inner.op == "get_attr":
                name = free_name(inner.target, dir(graph_module))
                setattr(graph_module, name, getattr(block, inner.target))
                values[inner] = graph.get_attr(name)
            else:
                values[inner] = graph.node_copy(inner, values.__getitem__)
            stack = inner.meta.get("nn_module_stack") or node.meta.get("nn_module_stack")
            values[inner].meta = {**inner.meta, "nn_module_stack": stack}
    results = block.graph.output_node().args[0]
    for picked in list(node.users):
        source = values[results[picked.args[1]]]
        if detached and is_differentiable(picked.meta["val"]):
            picked.target, picked.args = aten.detach.default, (source,)
        elif any(user.op == "output" for user in picked.users):  # it stays, since the signature goes by names
            picked.target, picked.args = aten.clone.default, (source,)
        else:
            picked.replace_all_uses_with(source)
            graph.erase_node(picked)
    graph.erase_node(node)
