"""Nests concatenations that begin alike, as a DenseNet's do, so that the gradient of what they share is added once.

    p = cat([a, b]);  cat([a, b, c])  →  p = cat([a, b]);  cat([p, c])

The gradient of ``a`` is then a part of that of ``p``. Before, it was a sum with a term for each concatenation: of L
layers that read all before them, ``L (L − 1) / 2`` additions become L.
"""

from __future__ import annotations

import dataclasses

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


@as_pass()
def nest_concatenations(program: BiasedProgram) -> BiasedProgram:
    """Gives each concatenation the longest one before it that it begins with. The program is left as it is.

    One that is a site, as with a class token, stays and is no beginning: its bias is what its own parts say.
    """
    graph_module = copy_graph(program.graph_module)
    known: dict[tuple[int, tuple[object, ...]], fx.Node] = {}
    sites = {site.node for site in program.sites}
    changed = False
    for node in graph_module.graph.find_nodes(op="call_function", target=aten.cat.default):
        if node.name in sites or any(user.name in sites and _adds_bias(user) for user in node.users):
            continue
        parts = tuple(node.args[0])
        axis = _axis(node)
        for count in range(len(parts) - 1, 1, -1):
            if prefix := known.get((axis, parts[:count])):
                node.args = ([prefix, *parts[count:]], *node.args[1:])
                changed = True
                break
        known.setdefault((axis, parts), node)
    return dataclasses.replace(program, graph_module=graph_module) if changed else program


def _adds_bias(node: fx.Node) -> bool:
    """Whether a node adds an exposed bias, in whose place a site without a bias parameter is."""
    bias = node.args[1] if node.target is aten.add.Tensor else None
    return isinstance(bias, fx.Node) and bias.op == "placeholder"


def _axis(node: fx.Node) -> int:
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    assert isinstance(axis, int)
    rank: int = node.meta["val"].ndim
    return axis % rank
