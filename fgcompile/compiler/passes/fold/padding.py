"""Folds padding with zeros into the convolution behind it, so that neither direction pads or crops by itself.

    convolution(pad(x, p), padding=q)  →  convolution(x, padding=p + q)

Only where both ends of each axis get the same, which is all that PyTorch's convolution can express.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


@as_pass(stale_values=True)
def fold_padding(program: BiasedProgram) -> BiasedProgram:
    """Folds every padding that only convolutions use. The program is left as it is.

    A padding that is a site itself stays, since its gradient is asked for.
    """
    graph_module = copy_graph(program.graph_module)
    graph = graph_module.graph
    wanted = {site.node for site in program.sites}
    changed = False
    for node in list(graph.find_nodes(op="call_function", target=aten.constant_pad_nd.default)):
        amounts = _symmetric(node)
        if amounts is None or node.name in wanted or not all(_takes_padding(user, node) for user in node.users):
            continue
        for user in list(node.users):
            padding = [own + more for own, more in zip(user.args[4], amounts, strict=True)]
            user.args = (node.args[0], *user.args[1:4], padding, *user.args[5:])
        graph.erase_node(node)
        changed = True
    return dataclasses.replace(program, graph_module=graph_module) if changed else program


def _symmetric(node: fx.Node) -> list[int] | None:
    """The padding of each spatial axis in order, where it is with zeros, the same at both ends and no crop.

    ``constant_pad_nd`` names the last axis first and may leave out those in front, which then get none; a convolution
    names all, the first axis first. What pads the channels or the batch too, no convolution can express.
    """
    source, amounts, *value = node.args
    assert isinstance(source, fx.Node)
    assert isinstance(amounts, list | tuple)
    if (value and value[0] != 0) or len(amounts) > 2 * (source.meta["val"].ndim - 2):
        return None
    ends = list(zip(amounts[::2], amounts[1::2], strict=True))
    if not all(isinstance(low, int) and low == high and low >= 0 for low, high in ends):
        return None
    missing = source.meta["val"].ndim - 2 - len(ends)
    return [0] * missing + [low for low, _ in reversed(ends)]


def _takes_padding(user: fx.Node, source: fx.Node) -> bool:
    if user.target is not aten.convolution.default or user.args[6]:  # of a transposed one padding means something else
        return False
    return user.args[0] is source and source not in user.args[1:3]
