"""An exposed program with the layouts that its sites have at other sizes than the example's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.expose.expose import as_captured
from fgcompile.compiler.expose.layouts import find_layouts
from fgcompile.compiler.ir.graphs import copy_graph, propagate_shapes
from fgcompile.compiler.ir.nodes import is_random
from fgcompile.compiler.ir.programs import BiasedProgram, Placement
from fgcompile.compiler.ir.silence import FAKE_TENSORS, unlogged
from fgcompile.compiler.ir.sizes import BATCH, describe, dimension_names
from fgcompile.compiler.ir.torch_internals import FakeTensorMode
from fgcompile.errors import CaptureError


def at_sizes(exposed: BiasedProgram, layouts: Mapping[str, str], sizes: Mapping[str, int]) -> BiasedProgram:
    """The program with the placements that its sites have at other sizes: what a capture at these would find.

    A layer that has a single place there, or is enlarged from one, may lie nowhere, or elsewhere. Where a whole input
    is a single place, as a text of one token, whatever lies over it lies on that one: these placements stay.

    Args:
        exposed: The program, of dynamic sizes.
        layouts: Those by hand that it was exposed with.
        sizes: The number in place of each dynamic size, by its name in the inputs' shapes.

    Raises:
        CaptureError: The graph is not the model at these sizes.
        RuntimeError: PyTorch's; an operator does not take these sizes.
    """
    for other in exposed.other_below:
        if any(name in sizes and sizes[name] <= size for name, size in other.items()):  # the score's own have none
            raise CaptureError("the model decides by the sizes of its input and computes something else at these")
    placeholders = exposed.graph_module.graph.find_nodes(op="placeholder")[: len(exposed.inputs)]
    names = dimension_names([node.meta["val"] for node in placeholders])
    single = {str(node.target) for node in placeholders if _is_single(describe(node.meta["val"], names), sizes)}
    if all(size == 1 for name, size in sizes.items() if name != BATCH):
        return exposed
    graph_module = copy_graph(exposed.graph_module)
    placeholders = graph_module.graph.find_nodes(op="placeholder")
    mode = FakeTensorMode(allow_non_fake_inputs=True)  # the parameters
    for node in placeholders:
        value = node.meta["val"]
        shape = [sizes[size] if isinstance(size, str) else size for size in describe(value, names)]
        node.meta["val"] = mode.from_tensor(torch.empty(shape, dtype=value.dtype), static_shapes=True)
    with unlogged(FAKE_TENSORS):  # a size that is not taken is no one's mistake
        propagate_shapes(graph_module)
    graph = graph_module.graph
    inputs, written = placeholders[: len(exposed.inputs)], as_captured(layouts, exposed)
    maps, sites = find_layouts(graph, inputs, exposed.sites, _constants(graph_module), written)
    kept = [_kept(own.placements, site.placements, single) for own, site in zip(exposed.sites, sites, strict=True)]
    sites = tuple(replace(site, placements=placements) for site, placements in zip(sites, kept, strict=True))
    return replace(exposed, maps=_kept(exposed.maps, maps, single), sites=sites)


def _is_single(shape: Sequence[int | str], sizes: Mapping[str, int]) -> bool:
    """Whether the dynamic sizes of an input, of which there are some, are all 1."""
    own = [sizes[size] for size in shape if isinstance(size, str) and size != BATCH]
    return bool(own) and max(own) == 1


def _kept(before: Sequence[Placement], found: Sequence[Placement], single: Set[str]) -> tuple[Placement, ...]:
    """The placements found, but those over inputs that are a single place, which are what they were before."""
    named = {placement.input: placement for placement in found} | {p.input: p for p in before if p.input in single}
    order = dict.fromkeys(placement.input for placement in (*before, *found))
    return tuple(named[name] for name in order if name in named)


def _constants(graph_module: fx.GraphModule) -> dict[fx.Node, Tensor]:
    """The values of the nodes that depend on no input."""
    constants: dict[fx.Node, Any] = {}
    for node in graph_module.graph.nodes:
        if node.op == "get_attr":
            constants[node] = getattr(graph_module, str(node.target))
        elif node.op == "call_function" and not is_random(node) and all(n in constants for n in node.all_input_nodes):
            args, kwargs = fx.map_arg((node.args, node.kwargs), constants.__getitem__)
            assert callable(node.target)
            with torch.no_grad():
                constants[node] = node.target(*args, **kwargs)
    return constants
