"""Operators that PyTorch's exporters write by several are one again: one site of biases, as in the network.

    ½ · (x · (erf(x / √2) + 1))                            →  Gelu(x)
    ½ · (x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))))     →  Gelu(x), approximate
    1 / (1 + exp(−x))                                      →  Sigmoid(x), whose gradient is finite
    x · σ(x)                                               →  Swish(x)
    x · tanh(softplus(x))                                  →  Mish(x)
    x > 20 ? x : softplus(x)                               →  Softplus(x)
    1 / √x                                                 →  Pow(x, −½)
    Reshape(InstanceNormalization(Reshape(x))) · γ + β     →  GroupNormalization(x, γ, β)

By the order of the products the exporters' forms differ from what networks write by hand, which stays as it is. Nodes
inside that something else reads stay too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import ShapeInferencePass
from onnx_ir.traversal import RecursiveGraphIterator

from fgcompile.compiler.capture.onnx.numbers import numbers_of

COMMUTATIVE = ("Add", "Mul")

Found = dict[str, ir.Value]
"""Values by the names that a pattern has for them."""


@dataclass(frozen=True)
class Of:
    """A node of an operator; its inputs are names of values, nodes, or single numbers; its own value can be named."""

    operator: str
    inputs: tuple[Of | str | float, ...]
    name: str | None = None


def of(operator: str, *inputs: Of | str | float) -> Of:
    return Of(operator, inputs)


def made_whole(model: ir.Model) -> ir.Model:
    """The model, in which the last of such nodes is the whole operator; those in front may be left without a reader."""
    nodes = list(RecursiveGraphIterator(model.graph))
    if any(_is_of(_NORMALISED, node, {}) and not _has_rank(node) for node in nodes):
        ShapeInferencePass(check_type=False, strict_mode=False)(model)
    for node in nodes:
        for pattern, become in WHOLE:
            found: Found = {}
            if _is_of(pattern, node, found):
                become(node, found)
    return model


def _has_rank(normalisation: ir.Node) -> bool:
    """Whether it is known what shape was grouped for a normalisation."""
    grouped = normalisation.inputs[0]
    node = None if grouped is None else grouped.producer()
    return node is not None and node.inputs[0] is not None and node.inputs[0].shape is not None


def _is_of(pattern: Of, node: ir.Node, found: Found) -> bool:
    """Whether a node has a form; ``found`` gets the values."""
    if (node.domain, node.op_type) != ("", pattern.operator) or len(node.inputs) != len(pattern.inputs):
        return False
    orders = permutations(node.inputs) if node.op_type in COMMUTATIVE else [tuple(node.inputs)]
    for order in orders:
        tried = dict(found)
        if all(_fits(part, value, tried) for part, value in zip(pattern.inputs, order, strict=True)):
            found.update(tried)
            return True
    return False


def _fits(part: Of | str | float, value: ir.Value | None, found: Found) -> bool:
    if value is None:
        return False
    if isinstance(part, str):
        return found.setdefault(part, value) is value
    if isinstance(part, Of):
        node = value.producer()
        if part.name is not None:
            found[part.name] = value
        return node is not None and _is_of(part, node, found)
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None or tuple(tensor.shape) not in ((), (1,)):  # of one axis at most, so that it broadcasts nothing
        return False
    return math.isclose(numbers_of(tensor).item(), part, rel_tol=1e-5)


def _numbers(value: ir.Value) -> np.ndarray[Any, Any] | None:
    """What a constant holds."""
    tensor = ir.convenience.get_const_tensor(value)
    return None if tensor is None else numbers_of(tensor)


def _becomes(operator: str, **attributes: str) -> Callable[[ir.Node, Found], None]:
    """An operator of ``x`` alone."""

    def become(node: ir.Node, found: Found) -> None:
        _replace(node, operator, [found["x"]], attributes)

    return become


def _become_power(node: ir.Node, found: Found) -> None:
    _replace(node, "Pow", [found["x"], _constant(node, "exponent", np.array(-0.5, np.float32))], {})


def _become_groups(node: ir.Node, found: Found) -> None:
    """Where the shapes and constants are those of groups of channels, which are on axis 1."""
    x, names = found["x"], ("grouped", "ones", "zeros", "scale", "shift")
    grouped, ones, zeros, scale, shift = (_numbers(found[name]) for name in names)
    if grouped is None or ones is None or zeros is None or scale is None or shift is None or x.shape is None:
        return
    by_channel = (scale.size, *[1] * (len(x.shape) - 2))
    plain = bool((ones == 1).all()) and bool((zeros == 0).all())
    in_groups = grouped.shape == (3,) and grouped[0] == 0 and grouped[2] == -1
    if not (plain and in_groups and scale.shape == shift.shape == by_channel):
        return
    # Of signals with as many groups as channels, grouping is no other shape, and is not taken back.
    kept = len(x.shape) == 3 and x.shape[1] == grouped[1]
    if not (_restores(found["shape"], x) if "shape" in found else kept):
        return
    normalised = found["normalised"].producer()
    epsilon = None if normalised is None else normalised.attributes.get("epsilon")
    attributes = {"num_groups": int(grouped[1]), "epsilon": 1e-5 if epsilon is None else epsilon.as_float()}
    constants = [_constant(node, name, array.reshape(-1)) for name, array in (("scale", scale), ("shift", shift))]
    _replace(node, "GroupNormalization", [x, *constants], attributes)


def _restores(shape: ir.Value, x: ir.Value) -> bool:
    """Whether a shape is that of a value."""
    numbers, node = _numbers(shape), shape.producer()
    if numbers is not None:
        return x.shape is not None and tuple(numbers) == tuple(x.shape)
    if node is None or node.op_type != "Shape" or node.inputs[0] is not x or "end" in node.attributes:
        return False
    return "start" not in node.attributes or node.attributes["start"].as_int() == 0


def _constant(node: ir.Node, name: str, array: np.ndarray[Any, Any]) -> ir.Value:
    assert node.graph is not None
    name = f"{node.outputs[0].name}/{name}"
    value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    node.graph.register_initializer(value)
    return value


def _replace(node: ir.Node, operator: str, inputs: list[ir.Value], attributes: Mapping[str, Any]) -> None:
    node.op_type = operator
    node.resize_inputs(len(inputs))
    for place, value in enumerate(inputs):
        node.replace_input_with(place, value)
    node.attributes.clear()
    node.attributes.update({attribute.name: attribute for attribute in ir.convenience.convert_attributes(attributes)})


def _gelu_by_tanh(cube: Of) -> Of:
    inner = of("Mul", math.sqrt(2 / math.pi), of("Add", "x", of("Mul", 0.044715, cube)))
    return of("Mul", 0.5, of("Mul", "x", of("Add", 1.0, of("Tanh", inner))))


_ERF = of("Erf", of("Div", "x", math.sqrt(2)))
_POWERS = [of("Add", 1.0, of("Exp", minus)) for minus in (of("Neg", "x"), of("Mul", -1.0, "x"))]
_SIGMOIDS = [last for power in _POWERS for last in (of("Reciprocal", power), of("Div", 1.0, power))]
_NORMALISED = Of("InstanceNormalization", (of("Reshape", "x", "grouped"), "ones", "zeros"), "normalised")

WHOLE: tuple[tuple[Of, Callable[[ir.Node, Found], None]], ...] = (
    (of("Mul", 0.5, of("Mul", "x", of("Add", 1.0, _ERF))), _becomes("Gelu")),
    (_gelu_by_tanh(of("Mul", "x", of("Mul", "x", "x"))), _becomes("Gelu", approximate="tanh")),
    (_gelu_by_tanh(of("Pow", "x", 3.0)), _becomes("Gelu", approximate="tanh")),
    *((last, _becomes("Sigmoid")) for last in _SIGMOIDS),
    (of("Mul", "x", of("Sigmoid", "x")), _becomes("Swish")),
    (of("Mul", "x", of("Tanh", of("Softplus", "x"))), _becomes("Mish")),
    (of("Where", of("Greater", "x", 20.0), "x", of("Softplus", "x")), _becomes("Softplus")),
    (of("Reciprocal", of("Sqrt", "x")), _become_power),
    (of("Div", 1.0, of("Sqrt", "x")), _become_power),
    (of("Add", of("Mul", of("Reshape", _NORMALISED, "shape"), "scale"), "shift"), _become_groups),
    (of("Add", of("Mul", _NORMALISED, "scale"), "shift"), _become_groups),
)
"""What is written by several, by its last node, and what that becomes."""
