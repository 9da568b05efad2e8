"""A product of activations is linear once all but one factor are constants; where none is a weight, each takes a turn.

    weight · a  →  detach(weight) · a              a · b  →  ½ a · detach(b) + ½ detach(a) · b
    a / n       →  a / detach(n)                   a^n    →  a · detach(a^(n−1))

The even split is the uniform rule of AttnLRP (ICML 2024, section 3.2) and LibraGrad (CVPR 2025). The degree of the
product becomes 1 (Euler), so that it needs no bias.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from fgcompile.compiler.rules.rewriting import Equation, Rewritable, Rewrite, where_active

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def holding(operator: OpOverload, name: str) -> Equation:
    """The operator itself, with one argument held constant."""

    def held(**arguments: Any) -> Tensor:
        return operator(**{**arguments, name: arguments[name].detach()})

    return held


def halves(operator: OpOverload, first: str, second: str) -> Equation:
    """``½ a · detach(b) + ½ detach(a) · b``."""

    def split(**arguments: Any) -> Tensor:
        return holding(operator, second)(**arguments) * 0.5 + holding(operator, first)(**arguments) * 0.5

    return split


def _product(first: str, second: str) -> Rewrite:
    """An operator that is linear in each of two factors, without a bias."""

    def choose(call: Rewritable) -> Equation | None:
        if not (call.is_active(first) and call.is_active(second)):
            return None
        if call.is_weight(first) == call.is_weight(second):  # none is a weight, or both are: neither goes before
            return halves(call.operator, first, second)
        return holding(call.operator, first if call.is_weight(first) else second)

    return choose


def linear(input: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """``W x + b`` as a product, which has a row of its own, and a sum."""
    return aten.linear.default(input, weight) + bias


def convolution(input: Tensor, weight: Tensor, bias: Tensor, **settings: Any) -> Tensor:
    """The same of a convolution, whose bias runs along the channels."""
    per_channel = bias.reshape([-1, *[1] * (input.ndim - 2)])
    return aten.convolution.default(input, weight, None, **settings) + per_channel


def _layer(with_bias: Equation) -> Rewrite:
    """A linear layer or convolution whose weight is an activation too."""
    product = _product("input", "weight")

    def choose(call: Rewritable) -> Equation | None:
        both = call.is_active("input") and call.is_active("weight")
        return with_bias if both and call.arguments["bias"] is not None else product(call)

    return choose


def addmm(self: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float, alpha: float) -> Tensor:
    """``β self + α mat1 mat2`` as a product, which has a row of its own, and a sum."""
    product = torch.mm(mat1, mat2) * alpha
    return self * beta + product


def power(self: Tensor, exponent: float) -> Tensor:
    """``a · detach(a^(n−1))``."""
    constant = self.detach()
    return self * (constant if exponent == 2 else constant ** (exponent - 1))


def _power(call: Rewritable) -> Equation | None:
    """Of other exponents than whole ones from 2 on, the true gradient stays: they make roots and inverses."""
    exponent = call.arguments["exponent"]
    return power if isinstance(exponent, int | float) and exponent >= 2 and exponent == int(exponent) else None


PRODUCTS: dict[OpOverload, Rewrite] = {
    aten.mul.Tensor: _product("self", "other"),
    aten.mm.default: _product("self", "mat2"),
    aten.bmm.default: _product("self", "mat2"),
    aten.linear.default: _layer(linear),
    aten.convolution.default: _layer(convolution),
    aten.addmm.default: where_active(addmm, "mat1", "mat2"),
    aten.div.Tensor: where_active(holding(aten.div.Tensor, "other"), "self", "other"),
    aten.pow.Tensor_Scalar: _power,
}
