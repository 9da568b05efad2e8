"""Which tensor of a file is explained: the one that is named, or an output's logits.

Shipped files mostly end in a softmax or a sigmoid. Their derivative vanishes where the network is sure, and the score
of one class is then that of all others too; what is explained is the operator's input, the logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import onnx_ir as ir

from fgcompile.compiler.capture.onnx.written_out import written_logits
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
    """

    values: tuple[ir.Value, ...]
    name: str | None
    in_file: tuple[str, ...]
    instead_of: tuple[str, str] | None = None

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
        logits: Whether it is its logits.

    Raises:
        SourceError: There is no such tensor.
    """
    outputs = tuple(graph.outputs)
    if isinstance(output, str):
        value = _find(graph, output)
        return Explained((value,), output, (output,))
    if output is not None:
        if not -len(outputs) <= output < len(outputs):
            raise SourceError(f"the file has {len(outputs)} outputs, and none at position {output}")
        value = outputs[output]
        return Explained((value,), str(value.name), (str(value.name),))
    if len(outputs) > 1:
        return Explained(outputs, None, tuple(str(value.name) for value in outputs))
    (value,) = outputs
    found = _logits(graph, value) if logits else None
    if found is None:
        return Explained((value,), value.name, (str(value.name),))
    source, shaped, operator = found
    return Explained((shaped,), source.name, (str(source.name),), (str(value.name), operator))


def _find(graph: ir.Graph, name: str) -> ir.Value:
    values = {value.name: value for node in graph for value in node.outputs if value.name}
    if name not in values:
        ends = [str(value.name) for value in graph.outputs]
        raise SourceError(
            f"the file computes no tensor '{name}': its outputs are {_some(ends)}; any inner one can be named too"
        )
    return values[name]


def _logits(graph: ir.Graph, value: ir.Value) -> tuple[ir.Value, ir.Value, str] | None:
    """What a softmax or sigmoid takes that a value is made by; the same in the value's shape; and the operator."""
    behind: list[ir.Node] = []
    node = value.producer()
    while node is not None and ((node.op_type in KEEPING and not node.domain) or node.op_type in LEVELS):
        behind.append(node)
        source = node.inputs[0]
        node = None if source is None else source.producer()
    found = None if node is None else _taken(node)
    if node is None or found is None:
        return None
    logits, operator = found
    shaped = _real(graph, node, logits) if node.op_type in OF_LEVELS else logits
    for keeping in reversed(behind):
        if keeping.op_type not in LEVELS:
            shaped = _again(graph, keeping, shaped)
    return logits, shaped, operator


def _taken(node: ir.Node) -> tuple[ir.Value, str] | None:
    """The logits that a node makes probabilities of, and the name of what makes them."""
    if not ((node.op_type in PROBABILITIES and not node.domain) or node.op_type in OF_LEVELS):
        return written_logits(node)
    logits = node.inputs[0]
    return None if logits is None or _is_over_samples(node) else (logits, node.op_type)


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
