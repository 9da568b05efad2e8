"""ONNX on demand: an ``If`` between the prediction and the explanation, in one of two forms.

**Behind the prediction**: the prediction is the graph itself, the explanation a branch, which reads the prediction's
features. The branch holds the constants that only it uses: ONNX Runtime brings convolutions into its blocked layout
only where the weights belong to the same graph.

**Apart**: one branch is the prediction, the other both, each with weights of its own. ONNX Runtime lays out anew each
feature that leaves the graph for a branch, whether the branch runs or not: where these are more numbers than the
weights, that costs more than the weights' second copy (``docs/decisions/on-demand.md``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

import numpy as np
import onnx
from onnx import helper, numpy_helper

from fgcompile.artifact.names import EXPLAIN, is_predicted
from fgcompile.compiler.ir.sizes import BATCH

EXPLAINED = "explained"
"""The batch's size in the outputs that may be empty: N or 0."""


def explain_conditionally(graph: onnx.GraphProto, elements: Mapping[str, int]) -> None:
    """Moves all that the model's outputs do not need into a branch, which runs where the input ``explain`` is true.

    Args:
        graph: The graph that computes all, rewritten in place.
        elements: How many numbers a sample's part of each value has; what is not in it counts as none.
    """
    # What they are computed from, walked backwards, stays outside, and so does every constant that it reads.
    prediction = _needed(graph, [value.name for value in graph.output if is_predicted(value.name)])
    if _handed_over(graph, prediction, elements) > _numbers(graph.initializer):
        _choose(graph, prediction)
    else:
        _branch_off(graph, prediction)
    # Outputs that may be empty have 0 samples where the logits have N: one name for both would promise that they are
    # equal.
    for value in graph.output:
        for dimension in () if is_predicted(value.name) else value.type.tensor_type.shape.dim:
            if dimension.dim_param == BATCH:
                dimension.dim_param = EXPLAINED


def _needed(graph: onnx.GraphProto, outputs: Iterable[str]) -> set[str]:
    """The names of values and constants that outputs are computed from."""
    producers = {name: node for node in graph.node for name in node.output}
    found: set[str] = set()
    pending = list(outputs)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(producers[name].input if name in producers else ())
    return found


def _handed_over(graph: onnx.GraphProto, prediction: set[str], elements: Mapping[str, int]) -> int:
    """How many numbers of a sample's prediction the explanation reads."""
    constants = {tensor.name for tensor in graph.initializer}
    rest = [node for node in graph.node if not prediction.intersection(node.output)]
    read = {name for node in rest for name in node.input} & prediction - constants
    return sum(elements.get(name, 0) for name in read)


def _numbers(tensors: Iterable[onnx.TensorProto]) -> int:
    return sum(prod(tensor.dims) for tensor in tensors)


def _branch_off(graph: onnx.GraphProto, prediction: set[str]) -> None:
    """The prediction is the graph itself, the explanation a branch behind it."""
    # An initialiser of an input's name is that input's default (biases="inputs"): only the outermost graph can have
    # one, so it stays outside even where the explanation alone reads it.
    outside = prediction | {value.name for value in graph.input}
    others = [value for value in graph.output if not is_predicted(value.name)]
    rest = [node for node in graph.node if not prediction.intersection(node.output)]
    constants = [tensor for tensor in graph.initializer if tensor.name not in outside]
    explanation = _branch("explanation", rest, others, constants)
    # The If returns its outputs under the very names that nodes in the branch give them. A branch may not repeat a name
    # of the graph around it, so there the values are renamed; those of the prediction are outside and keep theirs.
    _hide(explanation, {value.name for value in others} - prediction)
    own = [node for node in graph.node if prediction.intersection(node.output)]
    kept = [tensor for tensor in graph.initializer if tensor.name in outside]
    nothing = _branch("nothing", [], [], [])
    _add_empty(nothing, others)
    _put(graph, own, kept, _choice(others, explanation, nothing))


def _choose(graph: onnx.GraphProto, prediction: set[str]) -> None:
    """The prediction is one branch, prediction and explanation the other; each has its own nodes and weights."""
    values = list(graph.output)
    inputs = {value.name for value in graph.input}
    constants = [tensor for tensor in graph.initializer if tensor.name not in inputs]
    everything = _branch("explanation", graph.node, values, constants)
    own = [node for node in graph.node if prediction.intersection(node.output)]
    predicted = [value for value in values if is_predicted(value.name)]
    alone = _branch("prediction", own, predicted, [tensor for tensor in constants if tensor.name in prediction])
    _add_empty(alone, [value for value in values if not is_predicted(value.name)])
    for branch in (everything, alone):
        _hide(branch, {value.name for value in values})
    results = {value.name.rpartition(".")[0]: value for value in alone.output}
    del alone.output[:]
    alone.output.extend(results[value.name] for value in values)
    defaults = [tensor for tensor in graph.initializer if tensor.name in inputs]
    _put(graph, [], defaults, _choice(values, everything, alone))


def _branch(
    name: str,
    nodes: Iterable[onnx.NodeProto],
    values: Iterable[onnx.ValueInfoProto],
    constants: Sequence[onnx.TensorProto],
) -> onnx.GraphProto:
    """A graph that returns values under names of its own."""
    returned = [helper.make_node("Identity", [value.name], [_inner(value.name)]) for value in values]
    results = [_renamed(value, _inner(value.name)) for value in values]
    return helper.make_graph([*nodes, *returned], name, [], results, constants)


def _choice(values: Sequence[onnx.ValueInfoProto], explained: onnx.GraphProto, not_: onnx.GraphProto) -> onnx.NodeProto:
    names = [value.name for value in values]
    return helper.make_node("If", [EXPLAIN], names, then_branch=explained, else_branch=not_)


def _put(
    graph: onnx.GraphProto, nodes: Iterable[onnx.NodeProto], constants: Iterable[onnx.TensorProto], last: onnx.NodeProto
) -> None:
    nodes, constants = list(nodes), list(constants)
    del graph.node[:], graph.initializer[:]
    graph.node.extend([*nodes, last])
    graph.initializer.extend(constants)


def _inner(name: str) -> str:
    """What an output is called inside a branch, which may not share a name with what is around it."""
    return f"{name}.explained"


def _renamed(value: onnx.ValueInfoProto, name: str) -> onnx.ValueInfoProto:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    copy.name = name
    return copy


def _hide(graph: onnx.GraphProto, names: set[str]) -> None:
    """Renames values of a branch that bear the names of the ``If``'s own outputs."""
    for node in graph.node:
        node.input[:] = [f"{name}.hidden" if name in names else name for name in node.input]
        node.output[:] = [f"{name}.hidden" if name in names else name for name in node.output]
    for tensor in graph.initializer:
        tensor.name = f"{tensor.name}.hidden" if tensor.name in names else tensor.name


def _add_empty(graph: onnx.GraphProto, values: Iterable[onnx.ValueInfoProto]) -> None:
    """Has a branch return, for each value, an empty tensor of its rank and type."""
    for value in values:
        kind = value.type.tensor_type
        shape = [dimension.dim_value for dimension in kind.shape.dim]  # 0 where the size has a name
        name = f"{value.name}.empty"
        empty = np.zeros(shape, helper.tensor_dtype_to_np_dtype(kind.elem_type))
        graph.node.append(helper.make_node("Constant", [], [name], value=numpy_helper.from_array(empty)))
        graph.output.append(helper.make_tensor_value_info(name, kind.elem_type, shape))
