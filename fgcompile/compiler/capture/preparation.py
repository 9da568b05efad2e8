"""What an exported program needs before it is decomposed: rewrites that keep its values.

    y.detach_()                        →  y.detach()
    with torch.no_grad(): y = g(x)     →  y = g(x).detach()
    y.view(sizes)                      →  y.reshape(sizes)
    instance_norm(y, running μ, σ²)    →  batch_norm(y, running μ, σ²)
    y[arange(N), i]                    →  y.gather(1, i) at the places i of each sample, for y of shape (N, T, …)

PyTorch's decompositions would drop the model's own detachments, and what is detached is a constant for the gradient. A
view counts on strides that a decomposition may not reproduce. By running statistics an InstanceNorm is a BatchNorm, and
PyTorch would fold the samples into its channels. Of an index along the batch nothing could know that each sample reads
itself alone.
"""

from __future__ import annotations

import copy
from functools import partial
from typing import Any, cast

import torch
from torch import fx
from torch.export import ExportedProgram

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.nodes import bind, is_differentiable

aten = torch.ops.aten
GRADIENT_MODE: Any = torch.ops.higher_order.wrap_with_set_grad_enabled
"""The call that ``torch.export`` makes of a block under ``torch.no_grad``: ``(enabled, block, *operands)``."""


def prepare(exported: ExportedProgram) -> ExportedProgram:
    """The program with these rewrites; the given one is left as it is."""
    graph_module = copy.deepcopy(exported.graph_module)
    graph = graph_module.graph
    for node, original in zip(graph.nodes, exported.graph.nodes, strict=True):
        node.name = original.name  # a copy renames what is called like a built-in, and the signature goes by names
    for node in list(graph.nodes):
        if node.target is aten.detach_.default:
            node.target = aten.detach.default
        elif node.target is aten.view.default:
            node.target = aten.reshape.default
        elif node.target is aten.instance_norm.default and not bind(node)["use_input_stats"]:
            node.target = aten.batch_norm.default  # of the same arguments in the same order
        elif node.target is aten.index.Tensor and _reads_each_sample(node):
            _gather(graph_module, node)
        elif node.target is GRADIENT_MODE and not node.args[0]:
            _detach_results(graph_module.get_submodule(node.args[1].target))
    graph_module.recompile()
    return ExportedProgram(
        root=graph_module,
        graph=graph,
        graph_signature=exported.graph_signature,
        state_dict=exported.state_dict,
        range_constraints=exported.range_constraints,
        module_call_graph=exported.module_call_graph,
        example_inputs=exported.example_inputs,
        constants=exported.constants,
        verifiers=exported.verifiers,
    )


def _reads_each_sample(node: fx.Node) -> bool:
    """Whether the call is ``y[arange(N), i]``, with ``i`` of shape (N,) and N the dynamic size of ``y`` in front."""
    source, (samples, *places) = node.args[0], cast(Any, node.args[1])
    if len(places) != 1 or places[0] is None or samples is None or samples.target is not aten.arange.default:
        return False
    shape, place = cast(fx.Node, source).meta["val"].shape, places[0].meta["val"]
    count = samples.meta["val"].shape[0]
    return (
        isinstance(shape[0], torch.SymInt)
        and str(count) == str(shape[0])
        and place.dim() == 1
        and place.dtype == torch.int64
        and isinstance(shape[1], int)
    )


def _gather(graph_module: fx.GraphModule, node: fx.Node) -> None:
    """Replaces ``y[arange(N), i]``."""
    source, (_, place) = node.args[0], cast(Any, node.args[1])
    assert isinstance(source, fx.Node)
    rest = source.meta["val"].shape[2:]
    call = partial(insert_call, node, node)
    index = call(aten.remainder.Scalar, place, source.meta["val"].shape[1])  # a place may count from the end
    for _ in range(len(rest) + 1):
        index = call(aten.unsqueeze.default, index, -1)
    index = call(aten.expand.default, index, [-1, 1, *rest])
    result = call(aten.squeeze.dim, call(aten.gather.default, source, 1, index), 1)
    node.replace_all_uses_with(result)
    graph_module.graph.erase_node(node)
    result.name = node.name  # the signature goes by names


def _detach_results(block: Any) -> None:
    graph: fx.Graph = block.graph
    output = graph.output_node()
    for result in output.all_input_nodes:
        if is_differentiable(result.meta["val"]):
            with graph.inserting_after(result):
                detached = graph.call_function(aten.detach.default, (result,))
            detached.meta = {**result.meta}
            output.replace_input_with(result, detached)
    block.recompile()
