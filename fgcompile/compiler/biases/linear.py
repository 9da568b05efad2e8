"""Affine operators with a bias argument, and products: convolutions, linear layers and matrix products."""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.biases.formula import AT_ZERO, double_vjp
from fgcompile.compiler.biases.rule import Bias, BiasCall, BiasRule, Explicit, Homogeneous, Implicit
from fgcompile.compiler.ir.torch_internals import OpOverload, schema_of

aten = torch.ops.aten


def _bias_argument(kind: str, name: str, factors: tuple[str, str], channel_axis: int | None) -> BiasRule:
    """An operator with two factors and a bias argument: degree = active factors; a constant bias becomes an input."""

    def bias(call: BiasCall) -> Bias:
        # One active factor: affine, with the bias argument as its bias, which becomes an input if it is a constant and
        # enters unscaled (addmm's beta), and else is the value at zero. Two active factors make a product, an active
        # bias a sum of two degrees, for which there is the fallback.
        degree = sum(call.is_active(factor) for factor in factors)
        if call.arguments.get(name) is None:
            return Homogeneous(degree)
        if degree == 1 and call.is_constant(name) and _unscaled(call):
            default = call.constant(name)
            assert default is not None
            return Explicit(default, lambda graph, node: _rebuild(call, graph, name, node), ".bias", channel_axis)
        if degree == 1 and not call.is_active(name):
            return AT_ZERO
        return Implicit(double_vjp)

    return BiasRule(kind, bias, f"explicit input: {name}; without it (1 − k) y, k = number of active factors")


def _unscaled(call: BiasCall) -> bool:
    return bool(call.arguments.get("beta", 1) == 1)


def _rebuild(call: BiasCall, graph: fx.Graph, name: str, node: fx.Node) -> fx.Node:
    arguments = {**call.arguments, name: node}
    positional = [argument for argument in schema_of(call.operator).arguments if not argument.kwarg_only]
    keywords = [argument for argument in schema_of(call.operator).arguments if argument.kwarg_only]
    return graph.call_function(
        call.operator,
        tuple(arguments[argument.name] for argument in positional if argument.name in arguments),
        {argument.name: arguments[argument.name] for argument in keywords if argument.name in arguments},
    )


def _product(*factors: str) -> BiasRule:
    """A multilinear operator without bias: homogeneous of degree "number of active factors"."""
    return BiasRule(
        "product",
        lambda call: Homogeneous(sum(call.is_active(factor) for factor in factors)),
        "homogeneous, k = number of active factors: (1 − k) y",
    )


LINEAR: dict[OpOverload, BiasRule] = {
    aten.convolution.default: _bias_argument("convolution", "bias", ("input", "weight"), 1),
    aten.linear.default: _bias_argument("linear", "bias", ("input", "weight"), None),
    aten.addmm.default: _bias_argument("linear", "self", ("mat1", "mat2"), None),
    aten.mm.default: _product("self", "mat2"),
    aten.bmm.default: _product("self", "mat2"),
    aten.mul.Tensor: _product("self", "other"),
    aten.mul.Scalar: _product("self"),
}
