"""A graph of an ONNX file as a module: it computes its nodes in order, each a child that bears the node's name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import onnx_ir as ir
import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.onnx.node import Constant, OnnxNode
from fgcompile.compiler.capture.onnx.operators import OPERATORS
from fgcompile.compiler.capture.onnx.values import Known, Value, as_array, as_tensor
from fgcompile.compiler.ir.nodes import free_name


class OnnxModule(nn.Module):
    """An ONNX graph, without what it does not need for its outputs.

    Attributes:
        input_names: Of the tensors that it takes, in the file's order.
        output_names: Of those that it returns.
    """

    def __init__(self, graph: ir.Graph, constants: Mapping[str, Constant]) -> None:
        super().__init__()
        self.input_names = tuple(_name(value) for value in graph.inputs if _name(value) not in constants)
        self.output_names = tuple(_name(value) for value in graph.outputs)
        self._constants = dict(constants)
        self._steps: list[_Step] = []
        for node in graph:
            self._add(node)
        self.training = False

    def forward(self, *inputs: Tensor, **named: Tensor) -> tuple[Tensor, ...] | Tensor:
        """The graph's outputs, one alone or several as a tuple, of its inputs in order or by name."""
        scope: dict[str, Value] = {**dict(zip(self.input_names, inputs, strict=False)), **named}
        for step in self._steps:
            results = getattr(self, step.child)(*(None if name is None else scope.get(name) for name in step.inputs))
            scope.update(zip(step.outputs, results, strict=False))
        outputs = tuple(as_tensor(self._result(name, scope)) for name in self.output_names)
        return outputs if len(outputs) > 1 else outputs[0]

    def _result(self, name: str, scope: Mapping[str, Value]) -> Value:
        constant = self._constants.get(name)
        return constant.value if constant is not None else scope[name]

    def _add(self, node: ir.Node) -> None:
        """Makes a node a child; one of constants alone is computed here, once."""
        names = [None if value is None else _name(value) for value in node.inputs]
        given = {index: self._constants[name] for index, name in enumerate(names) if name in self._constants}
        operator = OPERATORS[node.domain, node.op_type]
        outputs = [_name(value) for value in node.outputs]
        child = OnnxNode(title(node), operator, attributes(node), given, len(outputs))
        if len(given) == sum(name is not None for name in names) and node.op_type not in _RANDOM:
            with torch.no_grad():
                results = child(*([None] * len(names)))
            self._constants.update(
                (name, Constant(_array(result))) for name, result in zip(outputs, results, strict=False)
            )
            return
        name = (node.name or f"{node.op_type}_{len(self._steps)}").strip("/")
        path = free_name(re.sub(r"[^\w/:-]", "_", name), dir(self))
        self.add_module(path, child)
        self._steps.append(_Step(path, names, outputs))


class _Step:
    """Which child computes which values of which others."""

    def __init__(self, child: str, inputs: Sequence[str | None], outputs: Sequence[str]) -> None:
        self.child, self.inputs, self.outputs = child, tuple(inputs), tuple(outputs)


_RANDOM = {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"}


def title(node: ir.Node) -> str:
    """A node as messages have it."""
    return f"{node.op_type} '{node.name}'" if node.name else f"{node.op_type} of '{_name(node.outputs[0])}'"


def attributes(node: ir.Node) -> dict[str, Any]:
    """A node's attributes as Python's values, tensors as arrays."""
    return {name: _plain(one) for name, one in node.attributes.items()}


def _plain(attribute: ir.Attr) -> Any:
    if attribute.type == ir.AttributeType.TENSOR:
        return attribute.as_tensor().numpy()
    value = attribute.value
    return list(value) if isinstance(value, tuple) else value


def _name(value: ir.Value) -> str:
    assert value.name is not None
    return value.name


def _array(result: Value) -> Known:
    assert result is not None
    return as_array(result) if isinstance(result, Tensor) else result
