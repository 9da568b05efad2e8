"""Which tensor of a file is explained: the one that is named, or an output's logits.

Shipped files mostly end in a softmax or a sigmoid. Their derivative vanishes where the network is sure, and the score
of one class is then that of all others too; what is explained is the operator's input, the logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import onnx
import onnx_ir as ir

from fgcompile.compiler.capture.onnx.classes import is_text, linear_scores, names_classes, unmapped
from fgcompile.compiler.capture.onnx.operators import ML
from fgcompile.compiler.capture.onnx.written_out import sigmoid_beside_rest, written_logits
from fgcompile.errors import SourceError

PROBABILITIES = ("Softmax", "Sigmoid")
"""Operators whose input is explained in their place."""

KEEPING = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze")
"""Operators that stand between them and an output, and only name, shape or convert what they are given."""

OF_LEVELS = ("QLinearSoftmax", "QLinearSigmoid")
"""The same of levels, of which the numbers that they stand for are explained."""

LEVELS = ("QuantizeLinear", "DequantizeLinear")
"""Operators that stand there in a quantised file. Their scale is that of probabilities, which logits do not have."""

_SHOWN = 12


@dataclass(frozen=True)
class Explained:
    """The tensors that a graph returns.

    Attributes:
        values: In order; one is explained, by ``name``.
        name: The tensor in the file that is explained; None where there are several outputs and none is named.
        instead_of: The output whose logits these are, and the operator between; None where it is what was asked for.
        in_file: The names in the file of the tensors, of logits before they are shaped as the output.
        made: What computes those of them that the file does not have: the node that is explained, without its softmax.
    """

    values: tuple[ir.Value, ...]
    name: str | None
    in_file: tuple[str, ...]
    instead_of: tuple[str, str] | None = None
    made: tuple[onnx.NodeProto, ...] = ()

    def describe(self) -> str | None:
        """The tensor in words."""
        if self.name is None or self.instead_of is None:
            return self.name
        output, operator = self.instead_of
        return f"{self.name}, the logits that {operator} makes '{output}' of"


def choose_explained(graph: ir.Graph, output: str | int | None, logits: bool = True) -> Explained:
    """What is explained.

    Args:
        graph: The file's, which gets nodes where logits have to be shaped as the output is.
        output: Any tensor's name, or the position of an output; None for the only output, or its logits.
        logits: Whether it is its logits, and outputs that name classes are left alone.

    Raises:
        SourceError: There is no such tensor.
    """
    outputs = tuple(map(unmapped, graph.outputs))
    if isinstance(output, str):
        value = unmapped(_find(graph, output))
        return Explained((value,), output, (str(value.name),))
    if output is not None:
        if not -len(outputs) <= output < len(outputs):
            raise SourceError(f"the file has {len(outputs)} outputs, and none at position {output}")
        value = outputs[output]
        return Explained((value,), str(value.name), (str(value.name),))
    scores = tuple(value for value in outputs if not names_classes(value))
    if logits and (len(scores) == 1 or any(map(is_text, outputs))):
        outputs = scores or outputs
    if len(outputs) > 1:
        return Explained(outputs, None, tuple(str(value.name) for value in outputs))
    (value,) = outputs
    found = _logits(graph, value) if logits else None
    if found is None:
        return Explained((value,), value.name, (str(value.name),))
    name, made = str(found.logits.name), tuple(map(ir.to_proto, found.made))
    in_file = str(found.made[-1].outputs[-1].name) if found.made else name
    return Explained((found.shaped,), name, (in_file,), (str(value.name), found.operator), made)


def _find(graph: ir.Graph, name: str) -> ir.Value:
    values = {value.name: value for node in graph for value in node.outputs if value.name}
    if name not in values:
        ends = [str(value.name) for value in graph.outputs]
        raise SourceError(
            f"the file computes no tensor '{name}': its outputs are {_some(ends)}; any inner one can be named too"
        )
    return values[name]


@dataclass(frozen=True)
class _Found:
    """The logits of an output.

    Attributes:
        logits: The tensor.
        operator: What makes probabilities of it.
        shaped: It, shaped as the output.
        made: The nodes that compute it, or both of two of one, where the file has none.
    """

    logits: ir.Value
    operator: str
    shaped: ir.Value
    made: tuple[ir.Node, ...] = ()


def _logits(graph: ir.Graph, value: ir.Value) -> _Found | None:
    """What a softmax or sigmoid takes that a value is made by."""
    behind: list[ir.Node] = []
    node = value.producer()
    while node is not None and (_keeps(node) or node.op_type in LEVELS):
        behind.append(node)
        source = node.inputs[0]
        node = None if source is None else source.producer()
        value = value if source is None else source
    found = None if node is None else _taken(graph, node, value)
    # What sums to 1 is the same when it is divided by its sum.
    if found is None or (found.operator != "Softmax" and any(map(_divides_by_sum, behind))):
        return None
    shaped = found.shaped
    for keeping in reversed(behind):
        if keeping.op_type not in LEVELS and not _divides_by_sum(keeping):
            shaped = _again(graph, keeping, shaped)
    return replace(found, shaped=shaped)


def _keeps(node: ir.Node) -> bool:
    return (node.op_type in KEEPING and not node.domain) or _divides_by_sum(node)


def _divides_by_sum(node: ir.Node) -> bool:
    named = node.domain == ML and node.op_type == "Normalizer"
    return named and node.attributes.get_string("norm", "MAX") == "L1"


def _taken(graph: ir.Graph, node: ir.Node, value: ir.Value) -> _Found | None:
    """The logits that a node makes a value of, which are probabilities."""
    if (node.op_type in PROBABILITIES and not node.domain) or node.op_type in OF_LEVELS:
        logits = node.inputs[0]
        if logits is None or _is_over_samples(node):
            return None
        return _Found(logits, node.op_type, _real(graph, node, logits) if node.op_type in OF_LEVELS else logits)
    if (made := linear_scores(value)) is not None:
        graph.insert_after(node, made)
        operator = "Sigmoid" if node.attributes.get_string("post_transform") == "LOGISTIC" else "Softmax"
        return _Found(made.outputs[1], operator, made.outputs[1], (made,))
    if (single := sigmoid_beside_rest(node)) is not None:
        both = _of_both(graph, node, single)
        return _Found(single, "Sigmoid", both[-1].outputs[0], both)
    written = written_logits(node)
    return None if written is None else _Found(*written, written[0])


def _of_both(graph: ir.Graph, node: ir.Node, logits: ir.Value) -> tuple[ir.Node, ir.Node]:
    """What computes the logits of both of two classes, ``(−l, l)``, of that of the second."""
    negative = ir.Node("", "Neg", [logits], name=f"{node.name}_negative")
    both = ir.Node("", "Concat", [negative.outputs[0], logits], [ir.AttrInt64("axis", 1)], name=f"{node.name}_logits")
    negative.outputs[0].name, both.outputs[0].name = f"{logits.name}/negative", f"{logits.name}/both"
    graph.insert_after(node, [negative, both])
    return negative, both


def _real(graph: ir.Graph, node: ir.Node, levels: ir.Value) -> ir.Value:
    """The numbers that levels stand for, whose scale and zero point a node takes behind them."""
    new = ir.Node("", "DequantizeLinear", [levels, *node.inputs[1:3]], [], name=f"{node.name}_real")
    new.outputs[0].name = f"{levels.name}_real"
    graph.insert_before(node, new)
    return new.outputs[0]


def _is_over_samples(node: ir.Node) -> bool:
    """Whether a softmax is over the first axis: of samples, which compete for no class."""
    axis = node.attributes.get_int("axis", -1)
    ranks = {len(value.shape) for value in (*node.inputs, *node.outputs) if value is not None and value.shape}
    rank = max(ranks, default=None)
    return rank != 1 and axis in (0, None if rank is None else -rank)


def _again(graph: ir.Graph, node: ir.Node, value: ir.Value) -> ir.Value:
    """The same node of another value."""
    copy = ir.Node(
        node.domain, node.op_type, [value, *node.inputs[1:]], list(node.attributes.values()), name=f"{node.name}_logits"
    )
    copy.outputs[0].name = f"{node.outputs[0].name}_logits"
    graph.insert_after(node, copy)
    return copy.outputs[0]


def _some(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:_SHOWN])) + (" …" if len(names) > _SHOWN else "")
