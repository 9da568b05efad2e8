"""A fused program for a batch of N: its free batch becomes the number, or its graph of one sample is there N times.

f(x) for x (n, …)                 →  f(x) for x (N, …), every size that follows the batch a number
f(x) for x (1, …), x (N, …)       →  cat(f(x[0:1]), f(x[1:2]), …), the constants shared
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import fx

from fgcompile.compiler.ir.fixed_batch import ALONE, is_alone
from fgcompile.compiler.ir.graphs import call_over_fakes, copy_graph, fake_mode, propagate_shapes
from fgcompile.compiler.ir.programs import FusedProgram, ValueSpec
from fgcompile.compiler.ir.sizes import samples_axis

aten = torch.ops.aten


def with_batch(program: FusedProgram, batch: int | None) -> FusedProgram:
    """The program for so many samples; as it is for any number of them."""
    if batch is None:
        return program
    if not is_alone(program.graph_module.graph):
        graph_module = _fixed(program, batch)
    else:
        graph_module = program.graph_module if batch == ALONE else _repeated(program, batch)
    return replace(program, graph_module=graph_module, batch=batch)


def _fixed(program: FusedProgram, batch: int) -> fx.GraphModule:
    """The graph at one batch, in which sizes that followed it are numbers."""
    graph_module = copy_graph(program.graph_module)
    for node, spec in zip(graph_module.graph.find_nodes(op="placeholder"), program.inputs, strict=True):
        _take(node, spec, batch)
    propagate_shapes(graph_module)
    for node in graph_module.graph.nodes:
        node.args, node.kwargs = fx.map_arg((node.args, node.kwargs), _number)
    graph_module.graph.eliminate_dead_code()
    graph_module.recompile()
    return graph_module


def _number(node: fx.Node) -> Any:
    """The number that a node computes at every call, where it is one; else the node."""
    value = node.meta.get("val")
    return value if node.op == "call_function" and isinstance(value, int) else node


def _take(node: fx.Node, spec: ValueSpec, batch: int) -> None:
    """Lets an input have so many samples; a parameter has none."""
    axis, value = samples_axis(spec.shape), node.meta["val"]
    if spec.default is not None or axis is None:
        return
    with fake_mode(node.graph):
        node.meta["val"] = torch.empty([*value.shape[:axis], batch, *value.shape[axis + 1 :]], dtype=value.dtype)


def _repeated(program: FusedProgram, batch: int) -> fx.GraphModule:
    """The graph of one sample for each of a batch, one after the other."""
    source, graph = program.graph_module.graph, fx.Graph()
    shared: dict[fx.Node, fx.Node] = {}
    for node in source.nodes:
        if node.op in ("placeholder", "get_attr"):
            shared[node] = graph.node_copy(node)
    placeholders = source.find_nodes(op="placeholder")
    for node, spec in zip(placeholders, program.inputs, strict=True):
        _take(shared[node], spec, batch)
    specs = dict(zip(placeholders, program.inputs, strict=True))
    each = [_copied(source, graph, _sample(graph, shared, specs, number)) for number in range(batch)]
    joined = []
    for spec, *parts in zip(program.outputs, *each, strict=True):
        joined.append(_call(graph, aten.cat.default, list(parts), samples_axis(spec.shape) or 0))
    graph.output(tuple(joined))
    graph.lint()
    return fx.GraphModule(program.graph_module, graph)


def _sample(
    graph: fx.Graph, shared: Mapping[fx.Node, fx.Node], specs: Mapping[fx.Node, ValueSpec], number: int
) -> dict[fx.Node, fx.Node]:
    """What stands for the inputs and constants in the graph of one of the samples."""
    own = dict(shared)
    for node, spec in specs.items():
        axis = samples_axis(spec.shape)
        if spec.default is None and axis is not None:
            own[node] = _call(graph, aten.slice.Tensor, shared[node], axis, number, number + ALONE)
    return own


def _copied(source: fx.Graph, graph: fx.Graph, values: dict[fx.Node, fx.Node]) -> list[fx.Node]:
    """The results of one more copy of the graph."""
    for node in source.nodes:
        if node.op == "call_function":
            values[node] = graph.node_copy(node, lambda of: values[of])
    results: Any = source.output_node().args[0]
    return [values[node] for node in results]


def _call(graph: fx.Graph, operator: Any, *arguments: Any) -> fx.Node:
    node = graph.call_function(operator, arguments)
    node.meta["val"] = call_over_fakes(node)
    return node
