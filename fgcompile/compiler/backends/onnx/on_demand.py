"""ONNX on demand: the prediction is the graph itself, the explanation a branch of ``If``.

The branch holds the constants that only it uses: ONNX Runtime brings convolutions into its blocked layout only where
the weights belong to the same graph (``docs/decisions/on-demand.md``).
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fgcompile.artifact.names import EXPLAIN, is_predicted
from fgcompile.compiler.ir.sizes import BATCH

EXPLAINED = "explained"
"""The batch's size in the outputs that may be empty: N or 0."""


def explain_conditionally(graph: onnx.GraphProto) -> None:
    """Moves all that the model's outputs do not need into a branch, which runs where the input ``explain`` is true."""
    # What they are computed from, walked backwards, stays outside, and so does every constant that it reads.
    producers = {name: node for node in graph.node for name in node.output}
    prediction: set[str] = set()
    pending = [value.name for value in graph.output if is_predicted(value.name)]
    while pending:
        name = pending.pop()
        if name not in prediction:
            prediction.add(name)
            pending.extend(producers[name].input if name in producers else ())
    # An initialiser of an input's name is that input's default (biases="inputs"): only the outermost graph can have
    # one, so it stays outside even where the explanation alone reads it.
    inputs = {value.name for value in graph.input}
    others = [value for value in graph.output if not is_predicted(value.name)]
    branch = helper.make_graph(
        [
            *(node for node in graph.node if not prediction.intersection(node.output)),
            *(helper.make_node("Identity", [value.name], [_inner(value.name)]) for value in others),
        ],
        "explanation",
        [],
        [_renamed(value, _inner(value.name)) for value in others],
        [tensor for tensor in graph.initializer if tensor.name not in prediction | inputs],
    )
    # The If returns its outputs under the very names that nodes in the branch give them. A branch may not repeat a name
    # of the graph around it, so there the values are renamed; those of the prediction are outside and keep theirs.
    _hide_results(branch, {value.name for value in others} - prediction)
    nodes = [node for node in graph.node if prediction.intersection(node.output)]
    constants = [tensor for tensor in graph.initializer if tensor.name in prediction | inputs]
    nothing = _nothing(others)
    nodes.append(
        helper.make_node("If", [EXPLAIN], [value.name for value in others], then_branch=branch, else_branch=nothing)
    )
    # Outputs that may be empty have 0 samples where the logits have N: one name for both would promise that they are
    # equal.
    for dimension in (size for value in others for size in value.type.tensor_type.shape.dim):
        if dimension.dim_param == BATCH:
            dimension.dim_param = EXPLAINED
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)


def _inner(name: str) -> str:
    """What an output is called inside a branch, which may not share a name with what is around it."""
    return f"{name}.explained"


def _renamed(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    copy.name = name
    return copy


def _hide_results(graph: onnx.GraphProto, names: set[str]) -> None:
    """Renames values of a branch that bear the names of the ``If``'s own outputs."""
    for node in graph.node:
        node.input[:] = [f"{name}.hidden" if name in names else name for name in node.input]
        node.output[:] = [f"{name}.hidden" if name in names else name for name in node.output]


def _nothing(values: list[onnx.ValueInfoProto]) -> onnx.GraphProto:
    """A graph that returns, for each value, an empty tensor of its rank and type."""
    nodes, results = [], []
    for value in values:
        kind = value.type.tensor_type
        shape = [dimension.dim_value for dimension in kind.shape.dim]  # 0 where the size has a name
        name = f"{value.name}.empty"
        empty = np.zeros(shape, helper.tensor_dtype_to_np_dtype(kind.elem_type))
        nodes.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(empty)))
        results.append(helper.make_tensor_value_info(name, kind.elem_type, shape))
    return helper.make_graph(nodes, "nothing", [], results)
