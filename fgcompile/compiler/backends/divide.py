"""Divides a fused graph into prediction and explanation, so that an artifact runs the second only when asked."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, fx

from fgcompile.artifact.names import is_predicted
from fgcompile.compiler.ir.graphs import ancestors, fake_mode
from fgcompile.compiler.ir.programs import FusedProgram


@dataclass(frozen=True)
class Halves:
    """The two parts of a fused graph; both take all of its inputs.

    Attributes:
        predict: ``(*inputs) → (*predicted, *carried)``: the logits, and what else the model returns.
        explain: ``(*carried, *inputs) →`` the other outputs.
        carried: How many values the second part takes from the first.
    """

    predict: fx.GraphModule
    explain: fx.GraphModule
    carried: int


def divide(program: FusedProgram) -> Halves:
    """The fused graph in two parts, which share their constants.

    What the model's outputs depend on is the prediction. Values of it that the rest needs are carried over; sizes are
    read again, since a back end carries tensors only.
    """
    graph = program.graph_module.graph
    results: list[fx.Node] = list(graph.output_node().args[0])  # type: ignore[arg-type]
    names = [spec.name for spec in program.outputs]
    predicted = [node for node, name in zip(results, names, strict=True) if is_predicted(name)]
    others = [node for node, name in zip(results, names, strict=True) if not is_predicted(name)]
    prediction = ancestors(predicted)

    def is_carried(node: fx.Node) -> bool:
        return node in prediction and node.op == "call_function" and isinstance(node.meta["val"], Tensor)

    explanation = ancestors(others, stop=is_carried)
    carried = [node for node in graph.nodes if node in explanation and is_carried(node)]
    return Halves(
        predict=_part(program.graph_module, prediction, [], [*predicted, *carried]),
        explain=_part(program.graph_module, explanation, carried, others),
        carried=len(carried),
    )


def _part(
    source: fx.GraphModule, kept: set[fx.Node], arguments: list[fx.Node], results: list[fx.Node]
) -> fx.GraphModule:
    """The kept nodes as a graph of its own, which takes ``arguments`` before the inputs; constants are shared."""
    graph = fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in arguments:
        copies[node] = graph.placeholder(node.name)
        # What is handed over lies in order, whatever it was viewed as: a library is compiled for its strides.
        with fake_mode(source.graph):
            copies[node].meta = {**node.meta, "val": node.meta["val"].contiguous()}
    for node in source.graph.find_nodes(op="placeholder"):
        copies[node] = graph.node_copy(node)
    for node in source.graph.nodes:
        if node in kept and node not in copies:
            copies[node] = graph.node_copy(node, lambda value: copies[value])
    graph.output(tuple(copies[node] for node in results))
    graph.lint()
    return fx.GraphModule(source, graph)
