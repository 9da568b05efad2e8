"""What an exported program needs before it is decomposed: rewrites that keep its values.

    y.detach_()                        →  y.detach()
    with torch.no_grad(): y = g(x)     →  y = g(x).detach()
    y.view(sizes)                      →  y.reshape(sizes)
    y[arange(N), i, j]                 →  gathers within each sample (``sample_reads``)

PyTorch's decompositions would drop the model's own detachments, and what is detached is a constant for the gradient. A
view counts on strides that a decomposition may not reproduce.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from fgcompile.compiler.capture.sample_reads import gather_within_samples
from fgcompile.compiler.ir.nodes import is_differentiable

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
        elif node.target is aten.index.Tensor:
            gather_within_samples(node)
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
