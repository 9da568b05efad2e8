"""Keeps a model's own ``detach()`` and ``torch.no_grad()`` through PyTorch's decompositions, which would drop them.

    y.detach_()                        →  y.detach()
    with torch.no_grad(): y = g(x)     →  y = g(x).detach()

What is detached is a constant for the gradient; values stay as they are.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram

from fgcompile.shapes import is_differentiable

aten = torch.ops.aten
GRADIENT_MODE: Any = torch.ops.higher_order.wrap_with_set_grad_enabled
"""The call that ``torch.export`` makes of a block under ``torch.no_grad``: ``(enabled, block, *operands)``."""


def keep_detachment(exported: ExportedProgram) -> ExportedProgram:
    """The program with every detachment written as ``aten.detach``; the given one is left as it is."""
    if not any(node.target in (aten.detach_.default, GRADIENT_MODE) for node in exported.graph.nodes):
        return exported
    graph_module = copy.deepcopy(exported.graph_module)
    for node in graph_module.graph.nodes:
        if node.target is aten.detach_.default:
            node.target = aten.detach.default
        elif node.target is GRADIENT_MODE and not node.args[0]:
            _detach_results(graph_module.get_submodule(node.args[1].target))
    graph_module.recompile()
    return ExportedProgram(
        root=graph_module,
        graph=graph_module.graph,
        graph_signature=exported.graph_signature,
        state_dict=exported.state_dict,
        range_constraints=exported.range_constraints,
        module_call_graph=exported.module_call_graph,
        example_inputs=exported.example_inputs,
        constants=exported.constants,
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
