"""Affine operators with a bias argument, and products: convolutions, linear layers and matrix products."""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.biases.formula import at_zero, double_vjp
from fgcompile.compiler.biases.rule import Bias, Call, Explicit, Homogeneous, Implicit, Rule
from fgcompile.compiler.ir.torch_internals import OpOverload, schema_of

aten = torch.ops.aten


def _bias_argument(kind: str, name: str, factors: tuple[str, str], channel_axis: int | None) -> Rule:
    """An operator with two factors and a bias argument: degree = active factors; a constant bias becomes an input."""

    def bias(call: Call) -> Bias:
        degree = sum(call.is_active(factor) for factor in factors)
        if call.arguments.get(name) is None:
            return Homogeneous(degree)
        if degree == 1 and call.is_constant(name) and _unscaled(call):
            default = call.constant(name)
            assert default is not None
            return Explicit(default, lambda graph, node: _rebuild(call, graph, name, node), ".bias", channel_axis)
        if degree == 1 and not call.is_active(name):
            return Implicit(at_zero)
        return Implicit(double_vjp)

    return Rule(kind, bias, f"explicit input: {name}; without it (1 − k) y, k = number of active factors")


def _unscaled(call: Call) -> bool:
    return bool(call.arguments.get("beta", 1) == 1)


def _rebuild(call: Call, graph: fx.Graph, name: str, node: fx.Node) -> fx.Node:
    arguments = {**call.arguments, name: node}
    positional = [argument for argument in schema_of(call.operator).arguments if not argument.kwarg_only]
    keywords = [argument for argument in schema_of(call.operator).arguments if argument.kwarg_only]
    return graph.call_function(
        call.operator,
        tuple(arguments[argument.name] for argument in positional if argument.name in arguments),
        {argument.name: arguments[argument.name] for argument in keywords if argument.name in arguments},
    )


def _product(*factors: str) -> Rule:
    """A multilinear operator without bias: homogeneous of degree "number of active factors"."""
    return Rule(
        "product",
        lambda call: Homogeneous(sum(call.is_active(factor) for factor in factors)),
        "homogeneous, k = number of active factors: (1 − k) y",
    )


LINEAR: dict[OpOverload, Rule] = {
    aten.convolution.default: _bias_argument("convolution", "bias", ("input", "weight"), 1),
    aten.linear.default: _bias_argument("linear", "bias", ("input", "weight"), None),
    aten.addmm.default: _bias_argument("linear", "self", ("mat1", "mat2"), None),
    aten.mm.default: _product("self", "mat2"),
    aten.bmm.default: _product("self", "mat2"),
    aten.mul.Tensor: _product("self", "other"),
    aten.mul.Scalar: _product("self"),
}
