"""Nodes of an ONNX graph as a module, each a child that bears the node's name: a file's graph, or a body of a node."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
from torch import nn

from fgcompile.compiler.capture.onnx.control import CONTROL, Control
from fgcompile.compiler.capture.onnx.node import Constant, OnnxNode, require_inputs
from fgcompile.compiler.capture.onnx.numbers import numbers_of
from fgcompile.compiler.capture.onnx.operators import OPERATORS
from fgcompile.compiler.capture.onnx.values import Value, as_known
from fgcompile.compiler.ir.nodes import free_name
from fgcompile.errors import CaptureError, FgcompileError, first_line

Missing = dict[str, list[str]]
"""Operators that are no row of the table, and the titles of the nodes that they are of."""


Compute = Callable[["Step", nn.Module, list[Value]], Sequence[Value]]


class OnnxGraph(nn.Module):
    """Computes nodes in order, in a scope that it is given; those of constants alone are computed once, when made.

    Attributes:
        input_names: Of the values that a caller gives by their place.
        input_ranks: How many axes the file says that they have, or None where it says nothing.
        output_names: Of those that it returns.
        reads: Names of the outer scope that it computes with.
    """

    def __init__(self, graph: ir.Graph, constants: Mapping[str, Constant], missing: Missing) -> None:
        super().__init__()
        self._missing = missing
        initializers = {name_of(value): constant_of(value) for value in graph.initializers.values()}
        known = {**constants, **{name: one for name, one in initializers.items() if one is not None}}
        self.input_names = tuple(name_of(value) for value in graph.inputs if name_of(value) not in initializers)
        self.input_ranks = tuple(
            None if value.shape is None else len(value.shape)
            for value in graph.inputs
            if name_of(value) not in initializers
        )
        self.output_names = tuple(name_of(value) for value in graph.outputs)
        self._known = {name: one for name, one in known.items() if name not in self.input_names}
        self.steps: list[Step] = []
        for node in graph:
            self._add(node)
        # Constants that nodes read are theirs now.
        self._known = {name: self._known[name] for name in self.output_names if name in self._known}
        self.reads = self._find_reads()
        self._forget()
        self.training = False

    def run(self, scope: dict[str, Value], compute: Compute | None = None) -> list[Value]:
        """The outputs, of a scope that has the inputs and what is read of outer ones; it is written into.

        ``compute(step, child, values)`` calls a node, if it is given.
        """
        for step in self.steps:
            child = getattr(self, step.child)
            values = [None if name is None else scope.get(name) for name in step.inputs]
            results = child(*values) if compute is None else compute(step, child, values)
            scope.update(zip(step.outputs, results, strict=False))
            for name in step.last:
                scope.pop(name, None)
        return [self._known[name].value if name in self._known else scope[name] for name in self.output_names]

    def _add(self, node: ir.Node) -> None:
        """Makes a node a child, unless it is of constants alone."""
        names = [None if value is None else name_of(value) for value in node.inputs]
        given = {index: self._known[name] for index, name in enumerate(names) if name in self._known}
        child = self._control(node, given) if _is_control(node) else self._node(node, given)
        if child is None:
            return
        reads = list(child.reads) if isinstance(child, Control) else []
        outputs = [name_of(value) for value in node.outputs]
        if not reads and len(given) == sum(name is not None for name in names) and _is_settled(node):
            results = [as_known(each) for each in _computed(child, len(names))]
            if all(isinstance(each, np.ndarray) for each in results):
                self._known.update((name, Constant(each)) for name, each in zip(outputs, results, strict=False) if name)
                return
        self.steps.append(Step(self._named(node, child), [*names, *reads], outputs))

    def _node(self, node: ir.Node, given: Mapping[int, Constant]) -> nn.Module | None:
        operator = OPERATORS.get((node.domain, node.op_type))
        if operator is None:
            kind = f"{node.domain}.{node.op_type}" if node.domain else node.op_type
            self._missing.setdefault(kind, []).append(title(node))
            return None
        require_inputs(title(node), operator, [value is not None for value in node.inputs])
        return OnnxNode(title(node), operator, attributes(node), given, len(node.outputs))

    def _control(self, node: ir.Node, given: Mapping[int, Constant]) -> nn.Module:
        graphs = {name: one.as_graph() for name, one in node.attributes.items() if _is_graph(one)}
        if absent := [name for name in CONTROL[node.op_type].bodies if name not in graphs]:
            raise CaptureError(f"{title(node)} has no {absent[0]}: export the model again")
        if node.op_type == "If" and 0 in given:
            if given[0].value.size != 1:
                raise CaptureError(f"{title(node)} has a condition of {given[0].value.size} values: export it again")
            # What is not done need not be readable.
            graphs.pop("else_branch" if given[0].value else "then_branch", None)
        bodies = {name: OnnxGraph(graph, self._known, self._missing) for name, graph in graphs.items()}
        return CONTROL[node.op_type](title(node), bodies, given, len(node.inputs), attributes(node))

    def _named(self, node: ir.Node, child: nn.Module) -> str:
        name = (node.name or f"{node.op_type}_{len(self.steps)}").strip("/")
        path = re.sub(r"[^\w/:-]", "_", name) or "_"
        # ``dir`` leaves out what begins with a digit.
        path = free_name(
            f"{path}_" if keyword.iskeyword(path) else path, {*dir(self), *(name for name, _ in self.named_children())}
        )
        self.add_module(path, child)
        return path

    def _find_reads(self) -> tuple[str, ...]:
        own = {*self.input_names, *self._known}
        reads: dict[str, None] = {}
        for step in self.steps:
            reads.update((name, None) for name in step.inputs if name is not None and name not in own)
            own.update(step.outputs)
        reads.update((name, None) for name in self.output_names if name not in own)
        return tuple(reads)

    def _forget(self) -> None:
        """Values are let go behind the last step that takes them."""
        needed = set(self.output_names)
        for step in reversed(self.steps):
            step.last = [name for name in {*step.inputs, *step.outputs} - needed if name is not None]
            needed.update(name for name in step.inputs if name is not None)


class Step:
    """Which child computes which values of which others, and which of them nobody takes after it."""

    def __init__(self, child: str, inputs: Sequence[str | None], outputs: Sequence[str]) -> None:
        self.child, self.inputs, self.outputs = child, tuple(inputs), tuple(outputs)
        self.last: list[str] = []


_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}


def _is_settled(node: ir.Node) -> bool:
    """Whether a node computes the same whenever it does."""
    bodies = [one.as_graph() for one in node.attributes.values() if _is_graph(one)]
    return node.op_type not in _RANDOM and all(_is_settled(inner) for body in bodies for inner in body)


def _is_control(node: ir.Node) -> bool:
    return node.domain == "" and node.op_type in CONTROL


def _is_graph(attribute: ir.Attr) -> bool:
    return attribute.type == ir.AttributeType.GRAPH


def _computed(child: nn.Module, inputs: int) -> Sequence[Any]:
    """The results of a node of constants.

    Raises:
        CaptureError: They cannot be computed.
    """
    try:
        results: Sequence[Any] = child(*[None] * inputs)
    except FgcompileError:
        raise
    except Exception as error:  # whatever PyTorch or NumPy raises of a file's numbers
        raise CaptureError(f"{child.title} of the file cannot be computed: {first_line(error)}") from error
    return results


def title(node: ir.Node) -> str:
    """A node as messages have it."""
    output = next((name_of(value) for value in node.outputs if value.name), "")
    return f"{node.op_type} '{node.name}'" if node.name else f"{node.op_type} of '{output}'"


def attributes(node: ir.Node) -> dict[str, Any]:
    """A node's attributes as Python's values, tensors as arrays, without its graphs."""
    return {name: _plain(one) for name, one in node.attributes.items() if not _is_graph(one)}


def _plain(attribute: ir.Attr) -> Any:
    if attribute.type == ir.AttributeType.TENSOR:
        return numbers_of(attribute.as_tensor())
    value = attribute.value
    return list(value) if isinstance(value, tuple) else value


def name_of(value: ir.Value) -> str:
    """A value's name, which is empty where nobody takes it."""
    return value.name or ""


def constant_of(value: ir.Value) -> Constant | None:
    """An initializer's numbers."""
    return None if value.const_value is None else Constant(numbers_of(value.const_value))
