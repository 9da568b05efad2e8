"""Sums: of two activations (no bias), and with a constant, which is the bias."""

from __future__ import annotations

import torch
from torch import Tensor, fx

from fgcompile.compiler.biases.formula import AT_ZERO
from fgcompile.compiler.biases.rule import Bias, BiasCall, BiasRule, Explicit, Homogeneous
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten


def _sum(sign: int) -> BiasRule:
    """``self + sign · alpha · other``; the constant operand, with its sign, becomes a bias input that is added."""

    def bias(call: BiasCall) -> Bias:
        if call.is_active("self") and call.is_active("other"):
            return Homogeneous(1)
        scale = sign * call.arguments.get("alpha", 1)
        if call.is_active("self"):
            return _constant_operand(call, "other", scale, "self", 1)
        return _constant_operand(call, "self", 1, "other", scale)

    return BiasRule(
        "constant", bias, "explicit input: the constant operand, signed and scaled; none for two activations"
    )


def _constant_operand(call: BiasCall, name: str, scale: float, active: str, active_scale: float) -> Bias:
    # A number or a tensor of the model is known when compiling, and becomes an input. What is computed from sizes or
    # from integers of the input is not: the sum is affine all the same, so its bias is its value at zero.
    value = call.arguments[name]
    if not isinstance(value, fx.Node):
        if not isinstance(value, int | float):  # a symbolic size
            return AT_ZERO
        dtype = call.arguments[active].meta["val"].dtype
        return _added(call, torch.tensor(value * scale, dtype=dtype), active, active_scale)
    if not call.is_constant(name):
        return AT_ZERO
    constant = call.constant(name)
    assert constant is not None
    return _added(call, constant.to(call.arguments[active].meta["val"].dtype) * scale, active, active_scale)


def _added(call: BiasCall, default: Tensor, active: str, active_scale: float) -> Bias:
    """``active_scale · a + b``, written as an addition whatever the operator was."""

    def rebuild(graph: fx.Graph, node: fx.Node) -> fx.Node:
        operand = call.arguments[active]
        if active_scale != 1:
            operand = graph.call_function(aten.mul.Tensor, (operand, active_scale))
        return graph.call_function(aten.add.Tensor, (operand, node))

    return Explicit(default, rebuild)


ADDITION: dict[OpOverload, BiasRule] = {
    aten.add.Tensor: _sum(1),
    aten.add.Scalar: _sum(1),
    aten.sub.Tensor: _sum(-1),
}
