"""A fused graph as an ``ExportedProgram``, put together from what the graph says of itself, not traced again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram, ModuleCallEntry, ModuleCallSignature
from torch.export.graph_signature import (
    ExportGraphSignature,
    InputKind,
    InputSpec,
    OutputKind,
    OutputSpec,
    TensorArgument,
)

from fgcompile.compiler.backends.spelling import spell_out
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.ir.torch_internals import OperatorBase, pytree


class FlatProgram(ExportedProgram):
    """An exported program that is decomposed already, so that decomposing it by a table often leaves it as it is."""

    def run_decompositions(
        self, decomp_table: dict[OperatorBase, Callable[..., Any]] | None = None, **options: Any
    ) -> ExportedProgram:
        """The program itself where it has no operator of the table; else decomposed, which traces it."""
        if decomp_table is None or any(node.target in decomp_table for node in self.graph.nodes):
            decomposed: ExportedProgram = super().run_decompositions(decomp_table, **options)
            return decomposed
        return self


def as_exported(source: fx.GraphModule) -> ExportedProgram:
    """The graph with its constants lifted to inputs in front of its own, as an ``ExportedProgram`` has them.

    Every node's ``meta["val"]`` is its value's fake tensor; nothing else of ``meta`` is kept, since traces of how the
    graph was made would end up in the file.
    """
    graph = fx.Graph()
    values: dict[fx.Node, fx.Node] = {}
    constants = {str(node.target): node for node in source.graph.find_nodes(op="get_attr")}
    lifted = {name: _placed(graph.placeholder(f"constant_{name}"), node) for name, node in constants.items()}
    placeholders = source.graph.find_nodes(op="placeholder")
    for node in placeholders:
        values[node] = _placed(graph.placeholder(node.name), node)
    for node in source.graph.nodes:
        if node.op == "get_attr":
            values[node] = lifted[str(node.target)]
        elif node.op != "placeholder":
            values[node] = _placed(graph.node_copy(node, lambda n: values[n]), node)
    run_passes(fx.GraphModule(torch.nn.Module(), graph), [spell_out])
    results: Any = graph.output_node().args[0]
    signature = ExportGraphSignature(
        input_specs=[
            *(InputSpec(InputKind.BUFFER, TensorArgument(node.name), name, True) for name, node in lifted.items()),
            *(InputSpec(InputKind.USER_INPUT, TensorArgument(values[node].name), None) for node in placeholders),
        ],
        output_specs=[OutputSpec(OutputKind.USER_OUTPUT, TensorArgument(node.name), None) for node in results],
    )
    return FlatProgram(
        root=torch.nn.Module(),
        graph=graph,
        graph_signature=signature,
        state_dict={name: _tensor(source, name) for name in lifted},
        range_constraints={},
        module_call_graph=[_call(len(placeholders), len(results))],
    )


def _placed(node: fx.Node, source: fx.Node) -> fx.Node:
    node.meta = {"val": source.meta["val"]} if source.op != "output" else {}
    return node


def _tensor(graph_module: fx.GraphModule, name: str) -> Tensor:
    value = getattr(graph_module, name)
    assert isinstance(value, Tensor)
    return value


def _call(inputs: int, outputs: int) -> ModuleCallEntry:
    """How the program is called: with a tuple of tensors, for a tuple of tensors."""
    _, arguments = pytree.tree_flatten(((0,) * inputs, {}))
    _, results = pytree.tree_flatten((0,) * outputs)
    return ModuleCallEntry("", ModuleCallSignature(inputs=[], outputs=[], in_spec=arguments, out_spec=results))
