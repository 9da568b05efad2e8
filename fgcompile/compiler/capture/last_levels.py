"""The last rounding of what is explained passes its gradient beyond the range too, which the others do not.

    quantized(value, linear, inside)  →  quantized(value, linear)      where only ``· constant``, ``+ constant`` and
                                                                       movements are between it and the output

A logit beyond its levels is held at their bound, and by the gradient of that nothing explains it: its map would be
empty. What the network computed is there in front of the rounding, so that is explained; what the bound takes off is
part of the rounding's term, and completeness holds as before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container

import torch
from torch import fx

from fgcompile.compiler.ir.activity import active_nodes
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.own_backward import QUANTIZED
from fgcompile.compiler.ir.programs import CapturedProgram

aten = torch.ops.aten

MOVING = {
    aten.reshape.default,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.permute.default,
    aten.slice.Tensor,
    aten.select.int,
    aten.cat.default,
    aten.clone.default,
    aten.alias.default,
    aten._to_copy.default,
}
"""Operators each of whose numbers is one of an operand's."""

SHIFTING = {aten.mul.Tensor, aten.div.Tensor, aten.add.Tensor, aten.sub.Tensor}
"""Operators each of whose numbers is that too, scaled and shifted, where the others are constants."""


def pass_last_levels(captured: CapturedProgram) -> CapturedProgram:
    """The program with its last roundings open; the given one is left as it is."""
    if not captured.graph_module.graph.find_nodes(op="call_function", target=QUANTIZED):
        return captured
    graph_module = copy_graph(captured.graph_module)
    for node in _last_levels(graph_module.graph, captured.scored):
        node.args = node.args[:2]
    graph_module.graph.eliminate_dead_code()
    graph_module.recompile()
    return dataclasses.replace(captured, graph_module=graph_module)


def _last_levels(graph: fx.Graph, scored: bool) -> list[fx.Node]:
    """The roundings all of whose uses that carry a gradient lead to an output so; a score may read the outputs too."""
    active, output = active_nodes(graph), graph.output_node()
    (results,) = output.args
    assert isinstance(results, tuple)
    passed, found = {output}, []
    for node in reversed([node for node in graph.nodes if node in active]):
        used = {user for user in node.users if user in active or user is output}
        leads = used <= passed or (scored and node in results[:-1])
        if leads and (node.target in MOVING or node.target is QUANTIZED or _shifts(node, active)):
            passed.add(node)
            if node.target is QUANTIZED:
                found.append(node)
    return found


def _shifts(node: fx.Node, active: Container[fx.Node]) -> bool:
    """Whether a node scales and shifts one operand by constants."""
    own = [index for index, value in enumerate(node.args) if isinstance(value, fx.Node) and value in active]
    return node.target in SHIFTING and len(own) == 1 and (node.target is not aten.div.Tensor or own == [0])
